package testcoord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// assigns reports whether the line is "NAME = …", or was meant to be.
func (p *parser) assigns(l line) bool {
	name, _, joined := strings.Cut(l.words[0].Text, "=")
	return l.is(1, "=") || joined && !l.words[0].Quoted && command.IsName(name)
}

// wordOfWho is how the first word of a command line begins.
var wordOfWho = regexp.MustCompile(`^[A-Za-z]`)

// assign reads "NAME = VALUE" and "NAME = WHO COMMAND …".
func (p *parser) assign(l line) {
	name := l.words[0]
	if !l.is(1, "=") {
		before, value, _ := strings.Cut(name.Text, "=")
		meant := strings.TrimSpace(before + " = " + strings.TrimSpace(value+" "+l.after(1).text()))
		p.fail(l, name.Col+len(before), meant, "a blank stands on each side of the =")
		return
	}
	if !p.settable(l, name) {
		return
	}
	whole, rest := l, l.after(2)
	switch {
	case len(rest.words) == 0:
		p.fail(l, l.end(), "", "%s gets which value? %s = 5, or %s = alice member count", name.Text, name.Text, name.Text)
		return
	case p.mods.background:
		p.fail(l, rest.col(0), "", "a variable is set before the next line, and not in the background")
		return
	case len(rest.words) == 1:
		p.variable(name.Text)
		p.step(whole, &setStep{name: name.Text, value: rest.words[0].Text})
		return
	case rest.words[0].Quoted && !strings.HasPrefix(rest.words[0].Raw, "$"), !rest.words[0].Quoted && !wordOfWho.MatchString(rest.words[0].Text) && !rest.is(0, "!") && !rest.is(0, "?"):
		p.fail(l, rest.col(0), name.Text+` = "`+rest.text()+`"`, "a value of several words stands in quotes")
		return
	case rest.is(0, "!") || rest.is(0, "?"):
		p.fail(l, rest.col(0), "", "only a command that must pass has a result")
		return
	}
	q := p.fork()
	q.command(rest)
	p.errs = append(p.errs, q.errs...)
	p.suite.Peers, p.later, p.said = q.suite.Peers, append(p.later, q.later...), q.said
	p.variable(name.Text)
	if len(q.errs) > 0 {
		return
	}
	runs, ok := q.suite.Steps[0].act.(*commandStep)
	if !ok {
		p.fail(l, rest.col(0), "", "testfilter has no result")
		return
	}
	p.step(whole, &captureStep{name: name.Text, commandStep: runs})
}

// variable notes that a variable exists from here on.
func (p *parser) variable(name string) {
	if !p.binding {
		p.vars[name] = &variable{}
	}
}

// setStep is "NAME = VALUE".
type setStep struct{ name, value string }

func (s *setStep) run(_ context.Context, f *flow) error { return f.set(s.name, s.value) }

// captureStep is "NAME = WHO COMMAND …".
type captureStep struct {
	name string
	*commandStep
}

func (s *captureStep) each(name string, other action) {
	s.commandStep.each(name, other.(*captureStep).commandStep) //nolint:forcetypeassert // the same line was read
}

// run sets the variable to what the command has as its result at all of its peers. That they differ is a failure.
func (s *captureStep) run(ctx context.Context, f *flow) error {
	calls, err := s.calls(ctx, f)
	if err != nil {
		return err
	}
	var values []string
	c := f.c
	c.mu.Lock()
	for _, k := range calls {
		values = append(values, plain(k.done.GetResultJson(), k.output.String()))
	}
	c.mu.Unlock()
	if len(slices.Compact(slices.Clone(values))) > 1 {
		out := &failure{msg: "the peers do not agree on the value of $" + s.name}
		for i, k := range calls {
			out.details = append(out.details, fmt.Sprintf("%s says %s", k.life.peer.name, strconv.Quote(shorten(values[i]))))
		}
		return out
	}
	f.details = append(f.details, fmt.Sprintf("%s = %s", s.name, strconv.Quote(shorten(values[0]))))
	return f.set(s.name, values[0])
}

// valueStep is "expect $NAME OP VALUE".
type valueStep struct {
	got, text string
	op        string
	want      string
	re        *regexp.Regexp
}

// expectValue reads "VALUE OP VALUE" and "VALUE ~ /RE/".
func (p *parser) expectValue(l line) {
	step := &valueStep{got: l.words[0].Text, text: l.shown(), op: l.words[1].Text}
	switch {
	case !strings.Contains(l.words[0].Raw, "$"):
		p.fail(l, l.col(0), "$"+l.words[0].Text, "a variable is compared here, and it begins with a $")
		return
	case len(l.words) < 3:
		p.fail(l, l.end(), "", "a value is missing: expect $n = 5")
		return
	case step.op == "~":
		var ok bool
		if step.re, ok = p.regexpAt(l.after(2)); !ok {
			return
		}
	default:
		step.want = l.after(2).text()
	}
	p.step(l, step)
}

func (s *valueStep) run(context.Context, *flow) error {
	ok, err := s.holds()
	if err != nil || ok {
		return err
	}
	return &failure{msg: "it is " + strconv.Quote(shorten(s.got)), details: []string{"wanted  " + s.text}}
}

// holds compares numbers and durations by their size, and all else as text.
func (s *valueStep) holds() (bool, error) {
	if s.re != nil {
		return s.re.MatchString(s.got), nil
	}
	a, errA := strconv.ParseFloat(s.got, 64)
	b, errB := strconv.ParseFloat(s.want, 64)
	if errA == nil && errB == nil {
		return compares(s.op, cmp.Compare(a, b)), nil
	}
	t, errA := time.ParseDuration(s.got)
	u, errB := time.ParseDuration(s.want)
	if errA == nil && errB == nil {
		return compares(s.op, cmp.Compare(t, u)), nil
	}
	if s.op != "=" && s.op != "!=" {
		return false, errors.New(s.op + " compares numbers or durations, and these are not both: " + strconv.Quote(shorten(s.got)) + " and " + strconv.Quote(shorten(s.want)))
	}
	return compares(s.op, strings.Compare(s.got, s.want)), nil
}
