package testcoord

import (
	"slices"
	"strconv"

	"peerlab.example/peerlab/internal/command"
)

// Words are what a step says, as far as that is known before the run. Who puts more lines between those of a suite must heed them.
type Words struct {
	// Peers are those that it names, or may name where only the run knows whom it means. A rule of the network names none.
	Peers []string
	// Sure is set when the step is run in any case, and names all of Peers.
	Sure bool
	// Others is set when it names all but those of the step before.
	Others bool
	// Command is the own name of the command that the peers run, such as "member leave"; empty when there is none.
	Command string
	// Lab is what the coordinator does, such as "kill"; empty when it does nothing to peers.
	Lab string
	// Judges is set when it looks at what the last command of its peers has written, or at its result.
	Judges bool
	// Background is set when the steps behind it do not wait for it, Waits when it waits for all of these.
	Background, Waits bool
}

// Words are those of a step of this suite. A block has none of its own: see its Body.
func (s *Suite) Words(step *Step) Words {
	w := Words{Background: step.background}
	switch act := step.act.(type) {
	case *commandStep:
		w.Command = s.commandOf(act.line)
		s.name(&w, step, act.who)
	case *captureStep:
		w.Command = s.commandOf(act.line)
		s.name(&w, step, act.who)
	case *expectStep:
		w.Judges = ofOutput(act.pred)
		s.name(&w, step, act.who)
	case *labStep:
		w.Lab = act.verb
		s.name(&w, step, act.who)
	case *filterStep:
		s.name(&w, step, act.who)
	case *rateStep:
		s.name(&w, step, act.by)
	case waitStep:
		w.Waits = len(step.conds) == 0
	case nil:
		if !step.block {
			s.unbound(&w, step)
		}
	}
	return w
}

// name takes over whom a step names.
func (s *Suite) name(w *Words, step *Step, by who) {
	w.Others = by.others
	if w.Peers = by.names; len(by.names) == 0 {
		w.Peers = s.Peers
	}
	w.Sure = !by.others && by.any == 0 && len(step.conds) == 0
}

// commandOf is the name of the command that a line begins with.
func (s *Suite) commandOf(line string) string {
	words, err := command.Split(line)
	if err != nil {
		return ""
	}
	return s.commandAt(words)
}

func (s *Suite) commandAt(words []command.Word) string {
	if spec, _ := s.grammar.table.Find(words); spec != nil {
		return spec.Name
	}
	return ""
}

func ofOutput(pred predicate) bool {
	switch pred.(type) {
	case outputIs, jsonIs:
		return true
	}
	return false
}

// unbound reads a line with variables whose values only the run knows: it may be about any peer.
func (s *Suite) unbound(w *Words, step *Step) {
	words, err := command.SplitScriptVars(step.src, func(name string) (string, error) {
		if v := s.grammar.vars[name]; v != nil && v.fixed {
			return v.value, nil
		}
		return "$" + name, nil
	})
	if err != nil {
		return
	}
	l := line{words: words}
	for len(l.words) > 0 && isCondition(l.words[0]) {
		l = l.after(1)
	}
	if l.is(1, "=") {
		l = l.after(2)
	}
	w.Peers = s.Peers
	says := func(text string) bool {
		return slices.ContainsFunc(l.words, func(one command.Word) bool { return one.Text == text && !one.Quoted })
	}
	switch {
	case l.is(0, "expect"):
		w.Others, w.Judges = l.is(1, "others"), says("output") || says("json")
		return
	case l.is(0, "lab"):
		w.Others, w.Lab = says("others"), firstText(l.after(1))
		return
	case l.is(0, "!"), l.is(0, "?"):
		l = l.after(1)
	}
	w.Others = l.is(0, "others")
	if _, err := strconv.Atoi(firstText(l.after(1))); err == nil && l.is(0, "any") {
		l = l.after(1)
	}
	l = l.after(1)
	if l.is(0, "within") {
		l = l.after(2)
	}
	w.Command = s.commandAt(l.words)
}
