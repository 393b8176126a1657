package command

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
)

// UsageError is a line that names no command, or one with wrong arguments. Nothing was run.
type UsageError struct {
	// Col is the place in the line, in bytes from 1.
	Col int
	Msg string
	// Hint is what may have been meant; empty when nothing is near.
	Hint string
	// Spec is the command, where it is known; its synopsis helps the user.
	Spec *app.Spec
}

func (e *UsageError) Error() string {
	msg := e.Msg
	if e.Hint != "" {
		msg += fmt.Sprintf("; did you mean %q?", e.Hint)
	}
	if e.Spec != nil {
		msg += "; usage: " + Synopsis(e.Spec)
	}
	return msg
}

// Call is a line that was understood: a command with checked arguments.
type Call struct {
	Spec *app.Spec
	Args app.Args
}

// Run runs the command.
func (c *Call) Run(ctx context.Context, env *app.Env) (any, error) {
	return c.Spec.Run(ctx, env, c.Args)
}

// Parse checks a line against the table without running anything. It returns nil for an empty line.
// Errors are *SyntaxError or *UsageError.
func (t *Table) Parse(line string) (*Call, error) {
	words, err := Split(line)
	if err != nil {
		return nil, err
	}
	return t.ParseWords(words)
}

// ParseWords is Parse for a line that is split already.
func (t *Table) ParseWords(words []Word) (*Call, error) {
	if len(words) == 0 {
		return nil, nil
	}
	spec, n := t.Find(words)
	if spec == nil {
		return nil, t.unknown(words)
	}
	last := words[len(words)-1]
	p := &parser{
		table: t, spec: spec, end: last.Col + len(last.Raw),
		values: map[string][]string{}, set: map[string]bool{},
	}
	if err := p.parse(words[n:]); err != nil {
		return nil, err
	}
	return &Call{Spec: spec, Args: app.NewArgs(p.values, p.set)}, nil
}

type parser struct {
	table  *Table
	spec   *app.Spec
	end    int // the column after the last word
	values map[string][]string
	set    map[string]bool
}

func (p *parser) parse(words []Word) error {
	for _, prm := range p.spec.Params {
		p.values[prm.Name] = nil
	}
	for _, f := range p.spec.Flags {
		p.values[f.Name] = nil
		if f.Default != "" {
			p.values[f.Name] = []string{f.Default}
		}
	}
	rest := words
	next := 0 // the parameter that the next word belongs to
	for len(rest) > 0 {
		if flag, ok := p.flagAt(rest[0], next); ok {
			n, err := p.takeFlag(flag, rest)
			if err != nil {
				return err
			}
			rest = rest[n:]
			continue
		}
		if next == len(p.spec.Params) {
			return p.wrong(rest[0].Col, "", "unexpected %q", rest[0].Text)
		}
		prm := p.spec.Params[next]
		if takesLine(prm) {
			p.values[prm.Name], p.set[prm.Name] = []string{source(rest)}, true
			break
		}
		if err := p.take(prm.Name, prm.Kind, prm.Values, rest[0]); err != nil {
			return err
		}
		if !prm.Repeated {
			next++
		}
		rest = rest[1:]
	}
	for _, prm := range p.spec.Params {
		if !prm.Optional && !p.set[prm.Name] {
			return p.wrong(p.end, "", "%s is missing", strings.ToUpper(prm.Name))
		}
	}
	return nil
}

// flagAt reports whether the word is a flag. Inside a repeated text nothing is, so
// that a message may contain whatever it likes.
func (p *parser) flagAt(w Word, next int) (name string, ok bool) {
	name, ok = strings.CutPrefix(w.Text, "--")
	if f := shortFlag(p.spec, w.Text); f != nil {
		name, ok = f.Name, true
	}
	if !ok || name == "" || w.Quoted {
		return "", false
	}
	if next < len(p.spec.Params) && isRest(p.spec.Params[next]) && (p.set[p.spec.Params[next].Name] || len(p.spec.Flags) == 0) {
		return "", false
	}
	return name, true
}

// isRest reports whether a parameter takes the rest of the line as it is.
func isRest(p app.Param) bool { return p.Repeated && p.Kind == app.Text || takesLine(p) }

// takesLine reports whether a parameter takes the rest of the line as one value.
func takesLine(p app.Param) bool { return p.Kind == app.Line || p.Kind == app.Raw }

// shortFlag returns the flag that is written -N, or nil.
func shortFlag(spec *app.Spec, text string) *app.Flag {
	for i := range spec.Flags {
		if f := &spec.Flags[i]; f.Short != "" && text == "-"+f.Short {
			return f
		}
	}
	return nil
}

// takeFlag reads a flag and its value, and returns how many words that took.
func (p *parser) takeFlag(text string, rest []Word) (int, error) {
	name, value, inline := strings.Cut(text, "=")
	i := slices.IndexFunc(p.spec.Flags, func(f app.Flag) bool { return f.Name == name })
	if i < 0 {
		var names []string
		for _, f := range p.spec.Flags {
			names = append(names, f.Name)
		}
		hint := Nearest(name, names)
		if hint != "" {
			hint = "--" + hint
		}
		return 0, p.wrong(rest[0].Col, hint, "unknown flag %q", "--"+name)
	}
	f := p.spec.Flags[i]
	w := Word{Text: value, Col: rest[0].Col}
	n := 1
	switch {
	case inline:
	case f.Kind == app.Bool:
		w.Text = "true"
	case len(rest) > 1:
		w = rest[1]
		n = 2
	default:
		return 0, p.wrong(p.end, "", "--%s needs a value", name)
	}
	p.values[f.Name] = nil
	return n, p.take(f.Name, f.Kind, f.Values, w)
}

func (p *parser) take(name string, kind app.Kind, values []string, w Word) error {
	if msg, hint := p.checkValue(kind, values, w.Text); msg != "" {
		return p.wrong(w.Col, hint, "%s: %s", name, msg)
	}
	p.values[name] = append(p.values[name], w.Text)
	p.set[name] = true
	return nil
}

// checkValue says what is wrong with a value of that kind, or "".
func (p *parser) checkValue(kind app.Kind, values []string, s string) (msg, hint string) {
	switch kind {
	case app.Int:
		if n, err := strconv.Atoi(s); err != nil || n < 0 {
			return fmt.Sprintf("%q is not a whole number", s), ""
		}
	case app.Bool:
		if _, err := strconv.ParseBool(s); err != nil {
			return fmt.Sprintf("%q is neither true nor false", s), ""
		}
	case app.Duration:
		if _, err := app.ParseDuration(s); err != nil {
			return err.Error(), ""
		}
	case app.Addr:
		if _, _, err := net.SplitHostPort(s); err != nil {
			return fmt.Sprintf("%q is not host:port", s), ""
		}
	case app.Enum:
		if !slices.Contains(values, s) {
			return fmt.Sprintf("%q is none of %s", s, strings.Join(values, ", ")), Nearest(s, values)
		}
	case app.Text, app.Word, app.MemberName, app.File, app.CommandName, app.Line, app.Raw:
	}
	return "", ""
}

func (p *parser) wrong(col int, hint, format string, args ...any) error {
	return &UsageError{Col: col, Msg: p.spec.Name + ": " + fmt.Sprintf(format, args...), Hint: hint, Spec: p.spec}
}
