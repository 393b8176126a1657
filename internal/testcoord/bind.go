package testcoord

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"peerlab.example/peerlab/internal/command"
)

// withVariables reads a line that may have variables. When all their values are known now, it is a line like any other. Else it
// is read again when it is run, and now it is tried with values of several kinds, of which one must do.
func (p *parser) withVariables(l line) {
	doubtful, ok := p.doubtful(l)
	if !ok {
		return
	}
	if len(doubtful) == 0 {
		words, err := command.SplitScriptVars(l.src, p.guess(""))
		if err != nil {
			p.lexical(l, err)
			return
		}
		l.words, l.whole = words, words
		p.dispatch(l)
		return
	}
	var wrong Errors
	var around mods
	for i, sample := range p.samples() {
		q := p.fork()
		words, err := command.SplitScriptVars(l.src, p.guess(sample))
		if err != nil {
			p.lexical(l, err)
			return
		}
		l.words, l.whole = words, words
		q.dispatch(l)
		around = q.mods
		if len(q.errs) == 0 {
			p.adopt(l, q)
			return
		}
		for _, name := range q.suite.Peers[len(p.suite.Peers):] {
			delete(p.named, name)
		}
		if i == 0 {
			opens := slices.Contains(blockWords, keyword(l)) // no block is opened by a line that is read later
			wrong = slices.DeleteFunc(q.errs, func(e *Error) bool { return !opens && !e.certain && within(doubtful, e.Col) })
			if len(wrong) > 0 && len(wrong) == len(q.errs) {
				break // no value changes that
			}
		} else if at := slices.IndexFunc(q.errs, func(e *Error) bool { return e.certain }); at >= 0 && len(wrong) == 0 {
			wrong = Errors{q.errs[at]} // which only a value of the right kind has shown
		}
	}
	if len(wrong) > 0 {
		p.errs = append(p.errs, wrong...)
		return
	}
	// Nothing is wrong with what is known. The value will be judged when it is there.
	p.mods = around
	p.step(l, nil)
	p.bindLater(l)
}

// doubtful are the words of a line with variables whose values are known only at run time. A line that is no step cannot have
// any; that, and a variable that does not exist, is reported, and ok is false then.
func (p *parser) doubtful(l line) (words []command.Word, ok bool) {
	try := func(unknown string) ([]command.Word, error) { return command.SplitScriptVars(l.src, p.guess(unknown)) }
	as, err := try("a")
	if err != nil {
		p.lexical(l, err)
		return nil, false
	}
	bs, _ := try("b") // the same errors
	for i := range as {
		if as[i].Text != bs[i].Text {
			words = append(words, as[i])
		}
	}
	w, reserved := p.words[keyword(l)]
	if reserved && !w.step && len(words) > 0 {
		p.fail(l, words[0].Col, "", "a line with %q is read before the run, when only a param has a value", keyword(l))
		return nil, false
	}
	return words, true
}

// keyword is the first word of a line behind its conditions, as it was typed.
func keyword(l line) string {
	for len(l.words) > 1 && isCondition(l.words[0]) {
		l = l.after(1)
	}
	return l.words[0].Raw
}

// within reports whether a column is in one of the words.
func within(words []command.Word, col int) bool {
	return slices.ContainsFunc(words, func(w command.Word) bool { return col >= w.Col && col < w.Col+max(len(w.Raw), len(w.Text)) })
}

// guess gives params their value, and other variables that exist the one of the sample.
func (p *parser) guess(sample string) command.Lookup {
	return func(name string) (string, error) {
		v := p.vars[name]
		switch {
		case v == nil:
			return "", p.unknown(name)
		case v.fixed:
			return v.value, nil
		}
		return sample, nil
	}
}

// samples are values of the kinds that arguments of commands have.
func (p *parser) samples() []string {
	out := []string{"1", "1s", "127.0.0.1:1", "text"}
	if len(p.suite.Peers) > 0 {
		out = slices.Insert(out, 2, p.suite.Peers[0])
	}
	return out
}

// fork is a parser for one line, whose steps are its own.
func (p *parser) fork() *parser {
	q := *p
	q.errs, q.later, q.detached = nil, nil, true
	q.suite = &Suite{Peers: slices.Clip(p.suite.Peers), File: p.suite.File, Measures: p.suite.Measures}
	return &q
}

// adopt takes over what a fork has read.
func (p *parser) adopt(l line, q *parser) {
	p.suite.Peers = q.suite.Peers
	p.later = append(p.later, q.later...)
	p.said, p.product = q.said, q.product
	opened := len(q.blocks) > len(p.blocks)
	if several := false; p.perPeer(l.src) {
		if !opened {
			_, several = q.suite.Steps[0].act.(ofPeers)
		}
		if !several {
			p.fail(l, l.col(0), "", "$SELF and $I have a value in commands and expectations of peers only")
			return
		}
	}
	switch {
	case opened:
		last := q.blocks[len(q.blocks)-1]
		p.place(l, last.step)
		p.blocks = append(p.blocks, last)
		last.step.act, last.step.src = nil, l.src
	default:
		p.mods = q.mods
		p.step(l, nil)
		p.bindLater(l)
	}
}

// bindLater notes that the last step gets its values at run time.
func (p *parser) bindLater(l line) {
	steps := p.suite.Steps
	if n := len(p.blocks); n > 0 {
		steps = p.blocks[n-1].step.Body
	}
	if len(steps) > 0 {
		last := steps[len(steps)-1]
		last.src, last.perPeer = l.src, p.perPeer(l.src)
	}
}

// perPeer reports whether a line has a variable with a value for each peer. It may stand in quotes, or in a comment, where it is none.
func (p *parser) perPeer(src string) bool {
	found := false
	_, err := command.SplitScriptVars(src, func(name string) (string, error) {
		found = found || name == varSelf || name == varIndex
		return "", nil
	})
	return found && err == nil
}

// ofPeers is an action that may do something else at each of its peers.
type ofPeers interface {
	action
	peers() *who
	// each takes over what another reading of the same line says of a peer.
	each(name string, other action)
}

// bind is what the step does now that its variables have values.
func (f *flow) bind(s *Step) (action, error) {
	if s.src == "" {
		return s.act, nil
	}
	if !s.perPeer {
		return f.read(s, f.lookup)
	}
	all := f.c.suite.Peers
	as := func(name string) command.Lookup {
		return func(v string) (string, error) {
			switch v {
			case varSelf:
				return name, nil
			case varIndex:
				return strconv.Itoa(slices.Index(all, name) + 1), nil
			}
			return f.lookup(v)
		}
	}
	a, err := f.read(s, as(all[0]))
	if err != nil {
		return nil, err
	}
	several, ok := a.(ofPeers)
	if !ok {
		return nil, errors.New("$SELF and $I have no value here")
	}
	names, err := f.resolve(*several.peers())
	if err != nil {
		return nil, err
	}
	*several.peers() = who{names: names}
	for _, name := range names {
		other, err := f.read(s, as(name))
		if err != nil {
			return nil, err
		}
		several.each(name, other)
	}
	return several, nil
}

// read reads the line of a step with the values of its variables.
func (f *flow) read(s *Step, lookup command.Lookup) (action, error) {
	q := f.c.suite.grammar.fork()
	q.binding, q.blocks = true, nil
	words, err := command.SplitScriptVars(s.src, lookup)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errors.New("nothing is left of the line")
	}
	q.dispatch(line{no: s.Line, src: s.src, words: words, whole: words})
	if len(q.errs) > 0 {
		e := q.errs[0]
		if e.Hint != "" {
			return nil, fmt.Errorf("%s; did you mean %q?", e.Msg, e.Hint)
		}
		return nil, errors.New(e.Msg)
	}
	if len(q.blocks) > 0 {
		return q.blocks[0].step.act, nil
	}
	return q.suite.Steps[0].act, nil
}
