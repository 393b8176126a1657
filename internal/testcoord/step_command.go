package testcoord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// mode is what is wanted of a command's end.
type mode byte

const (
	mustPass mode = 0
	mustFail mode = '!'
	mayFail  mode = '?'
)

// commandStep runs a line at peers.
type commandStep struct {
	who    who
	line   string
	lines  map[string]string // of peers where the line is another, since it says $SELF or $I
	mode   mode
	within time.Duration // 0: the default
	aside  bool          // see call
}

// command reads "[!|?] WHO [within D] COMMAND ARGS…", and the filters of the prototype.
func (p *parser) command(l line) {
	step := &commandStep{}
	whole := l
	if l.is(0, "!") || l.is(0, "?") {
		step.mode = mode(l.words[0].Text[0])
		l = l.after(1)
	}
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "who runs what? %c alice msg hello", step.mode)
		return
	}
	first := l.words[0]
	if _, word := p.words[first.Text]; word && step.mode != mustPass && !first.Quoted && !p.named[first.Text] {
		hint := ""
		if first.Text == "expect" {
			hint = "; what must not become true is: expect alice never 5s event lost"
		}
		p.fail(whole, whole.col(0), "", "%q stands before a command at a peer, and not before %q%s", step.mode, first.Text, hint)
		return
	}
	if p.unclear(l, first) {
		return
	}
	peers, rest, ok := p.who(l)
	if strings.HasSuffix(first.Text, ",") {
		return // what follows is more of the list, not a command
	}
	step.who = peers
	if rest.is(0, "within") {
		d, isTime := p.duration(rest, 1)
		step.within, ok = d, ok && isTime
		rest = rest.after(2)
	}
	switch {
	case len(rest.words) == 0:
		if ok {
			p.fail(l, l.end(), "", "%s runs which command?", first.Text)
		}
		return
	case rest.is(0, "testfilter") && step.within > 0:
		p.fail(l, rest.col(0), "", "a filter is judged at the end of the run, and not within a time")
		return
	case rest.is(0, "testfilter"):
		p.filter(rest, peers, step.mode)
		return
	}
	if p.checkCommand(rest) && ok {
		step.line = rest.command()
		p.step(whole, step)
	}
}

func (s *commandStep) peers() *who { return &s.who }

// each takes over what the line says at one peer, where its variables have other values.
func (s *commandStep) each(name string, other action) {
	if s.lines == nil {
		s.lines = map[string]string{}
	}
	s.lines[name] = other.(*commandStep).line //nolint:forcetypeassert // the same line was read
}

// at is what the peer is to run.
func (s *commandStep) at(name string) string {
	if line, own := s.lines[name]; own {
		return line
	}
	return s.line
}

// unclear reports a line whose first word is no peer, and most likely was meant as something else.
func (p *parser) unclear(l line, first command.Word) bool {
	if _, group := p.groups[first.Text]; group || !validName.MatchString(first.Text) || p.named[first.Text] || p.taken(first.Text) != "" {
		return false // it is a peer, or parser.who says what is wrong with it
	}
	if !p.declared && len(l.words) > 1 {
		if spec, _ := p.table.Find(l.words[1:]); spec != nil || l.is(1, "testfilter") || l.is(1, "within") {
			return false // the first use of a name declares it
		}
	}
	candidates := p.reservedWords()
	if p.declared {
		candidates = append(p.peersAndGroups(), candidates...)
	}
	call, err := p.table.ParseWords(l.words)
	hint := command.Nearest(first.Text, candidates)
	switch {
	case err == nil && call != nil:
		name := "alice"
		if len(p.suite.Peers) > 0 {
			name = p.suite.Peers[0]
		}
		p.fail(l, first.Col, name+" "+l.text(), "a line begins with who runs the command")
	case p.declared:
		p.fail(l, first.Col, hint, "no peer is named %q", first.Text)
	case hint != "":
		p.fail(l, first.Col, hint, "unknown word %q", first.Text)
	default:
		return false
	}
	return true
}

// reservedWords are the words that may begin a line, for suggestions.
func (p *parser) reservedWords() []string {
	out := []string{"all"}
	for w := range p.words {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

// checkCommand reports whether the words are a command that a suite may run.
func (p *parser) checkCommand(l line) bool {
	call, err := p.table.ParseWords(l.words)
	var usage *command.UsageError
	switch {
	case errors.As(err, &usage):
		msg := usage.Msg
		if usage.Spec != nil {
			msg += "; usage: " + command.Synopsis(usage.Spec)
		}
		p.fail(l, usage.Col, usage.Hint, "%s", msg)
	case err != nil:
		p.fail(l, l.col(0), "", "%s", err)
	case call.Spec.Local:
		p.fail(l, l.col(0), "", "%s works only at a peer's own console", call.Spec.Name)
	default:
		return true
	}
	return false
}

// run runs the command at all peers at once, and waits for all.
func (s *commandStep) run(ctx context.Context, f *flow) error {
	_, err := s.calls(ctx, f)
	return err
}

// calls is run that returns the ends of the command, in the order of the peers.
func (s *commandStep) calls(ctx context.Context, f *flow) ([]*call, error) { return s.start(ctx, f)() }

// start sends the command to all peers. What it returns waits for the ends, and must be called.
func (s *commandStep) start(ctx context.Context, f *flow) (wait func() ([]*call, error)) {
	names, err := f.resolve(s.who)
	if err != nil {
		return func() ([]*call, error) { return nil, err }
	}
	c := f.c
	limit := cmp.Or(s.within, c.opt.StepTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
	calls := make([]*call, len(names))
	for i, name := range names {
		calls[i] = c.startCall(name, s.at(name), s.aside)
	}
	return func() ([]*call, error) {
		defer cancel()
		f.waitsFor(func() []string { return unanswered(calls) })
		var timedOut error
		for _, k := range calls {
			select {
			case <-k.ended:
			case <-ctx.Done():
				timedOut = context.Cause(ctx)
				c.cancelCalls(calls)
			}
		}
		return calls, s.judge(f, names, calls, timedOut)
	}
}

// judge makes one error of the ends of all calls.
func (s *commandStep) judge(fl *flow, names []string, calls []*call, timedOut error) error {
	c := fl.c
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &failure{}
	for i, k := range calls {
		msg := s.wrong(k, timedOut)
		text := strings.TrimRight(k.output.String(), "\n")
		if msg != "" {
			if len(calls) > 1 && !strings.HasPrefix(msg, names[i]+" ") {
				msg = names[i] + ": " + msg
			}
			f.details = append(f.details, msg)
		}
		if text != "" {
			f.outputs = append(f.outputs, Output{Peer: names[i], Lines: strings.Split(text, "\n"), At: len(f.details), Failed: msg != ""})
		}
		if msg != "" && f.msg == "" {
			f.msg = msg
		}
	}
	if f.msg == "" {
		fl.outputs = below(fl.details, f.outputs)
		return nil
	}
	return f
}

// wrong says what is wrong with how a command ended, or "".
func (s *commandStep) wrong(k *call, timedOut error) string {
	switch {
	case k.err != nil:
		return k.err.Error()
	case k.done == nil:
		return timedOut.Error()
	case timedOut != nil && k.cancelled:
		return timedOut.Error()
	case k.done.GetError() != "" && s.mode == mustPass:
		return k.done.GetError()
	case k.done.GetError() == "" && s.mode == mustFail:
		return "the command passed, and should have failed"
	}
	return ""
}

// below are the outputs where details stand before those that they know of.
func below(details []string, outputs []Output) []Output {
	for i := range outputs {
		outputs[i].At += len(details)
	}
	return outputs
}

// startCall sends a command to a peer. A peer that is not up fails it at once.
func (c *Coordinator) startCall(name, line string, aside bool) *call {
	return c.send(name, &testcoordv1.Run{Line: line}, aside)
}

// send is startCall of any kind. The message is the coordinator's from then on.
func (c *Coordinator) send(name string, run *testcoordv1.Run, aside bool) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[name]
	k := &call{life: p.life, aside: aside, ended: make(chan struct{})}
	if !p.life.isUp() || p.life.frozen {
		k.err = &diedError{name: name, how: p.why()}
		close(k.ended)
		return k
	}
	c.steps++
	k.id, run.Step = c.steps, c.steps
	p.life.calls[k.id] = k
	p.life.session.send(&testcoordv1.AttachResponse{What: &testcoordv1.AttachResponse_Run{Run: run}})
	return k
}

// cancelCalls cancels those that still run, and gives them a moment to end. What has not ended then
// is forgotten.
func (c *Coordinator) cancelCalls(calls []*call) {
	c.mu.Lock()
	for _, k := range calls {
		if !k.over() && !k.cancelled {
			k.cancelled = true
			k.life.session.send(&testcoordv1.AttachResponse{What: &testcoordv1.AttachResponse_Cancel{
				Cancel: &testcoordv1.Cancel{Step: k.id},
			}})
		}
	}
	c.mu.Unlock()
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	for _, k := range calls {
		select {
		case <-k.ended:
		case <-grace.C:
			grace.Reset(0)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range calls {
		if !k.over() {
			delete(k.life.calls, k.id)
			close(k.ended)
		}
	}
}
