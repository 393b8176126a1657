package command

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"peerlab.example/peerlab/app"
)

// Table is an immutable set of commands. It may be used from several goroutines at once.
type Table struct {
	// Metrics are the numbers that peers with these commands tell, for those who check what is asked of them. Nil where nobody
	// has said so.
	Metrics []app.Metric

	specs  []*app.Spec          // in the order of registration
	byName map[string]*app.Spec // names, aliases and their joined forms
	asking asking
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)?$`)

// New checks the specs and makes a table of them. All mistakes are reported at once.
func New(specs ...app.Spec) (*Table, error) {
	t := &Table{byName: make(map[string]*app.Spec)}
	var errs []error
	for i := range specs {
		s := &specs[i]
		if s.Group == "" {
			s.Group, _, _ = strings.Cut(s.Name, " ")
		}
		if err := check(s); err != nil {
			errs = append(errs, err)
			continue
		}
		t.specs = append(t.specs, s)
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			errs = append(errs, t.claim(name, s))
		}
	}
	return t, errors.Join(errs...)
}

// claim registers a name of two words in its joined form too.
func (t *Table) claim(name string, s *app.Spec) error {
	for _, n := range slices.Compact([]string{name, strings.ReplaceAll(name, " ", "")}) {
		if other := t.byName[n]; other != nil && other != s {
			return fmt.Errorf("command %q: the name %q belongs to %q already", s.Name, n, other.Name)
		}
		t.byName[n] = s
	}
	return nil
}

func check(s *app.Spec) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("command %q: %s", s.Name, fmt.Sprintf(format, args...))
	}
	for _, name := range append([]string{s.Name}, s.Aliases...) {
		if !validName.MatchString(name) {
			return wrong("%q is not one or two lower-case words", name)
		}
	}
	if s.Summary == "" || s.Example == "" || s.Run == nil {
		return wrong("Summary, Example and Run are required")
	}
	optional := false
	seen := map[string]bool{}
	for i, p := range s.Params {
		switch {
		case p.Name == "" || seen[p.Name]:
			return wrong("parameter %d needs a name of its own", i+1)
		case optional && !p.Optional:
			return wrong("required parameter %q after an optional one", p.Name)
		case (p.Repeated || takesLine(p)) && i != len(s.Params)-1:
			return wrong("only the last parameter may be repeated or a line, not %q", p.Name)
		case p.Repeated && takesLine(p):
			return wrong("parameter %q is a line already, and not repeated", p.Name)
		case p.Kind == app.Enum && len(p.Values) == 0:
			return wrong("parameter %q has no values", p.Name)
		}
		optional = optional || p.Optional
		seen[p.Name] = true
	}
	for _, f := range s.Flags {
		if f.Name == "" || seen[f.Name] || f.Summary == "" {
			return wrong("flag %q needs a name of its own and a summary", f.Name)
		}
		if f.Short != "" && (len(f.Short) != 1 || !IsName(f.Short) || seen["-"+f.Short]) {
			return wrong("the short form %q of flag %q is not one letter of its own", f.Short, f.Name)
		}
		seen[f.Name], seen["-"+f.Short] = true, f.Short != ""
	}
	return nil
}

// Specs are all commands in the order of registration.
func (t *Table) Specs() []*app.Spec { return t.specs }

// Find returns the command whose name, alias or joined form the first words are, and how many words
// that took. A leading / is ignored, as the prototype's users typed it.
func (t *Table) Find(words []Word) (spec *app.Spec, taken int) {
	if len(words) == 0 {
		return nil, 0
	}
	first := strings.TrimPrefix(words[0].Text, "/")
	if len(words) > 1 {
		if s := t.byName[first+" "+words[1].Text]; s != nil {
			return s, 2
		}
	}
	if s := t.byName[first]; s != nil {
		return s, 1
	}
	return nil, 0
}

// Lookup finds a command by its written name.
func (t *Table) Lookup(name string) *app.Spec {
	return t.byName[strings.TrimPrefix(name, "/")]
}

// names are all names of two words and of one, without the joined forms.
func (t *Table) names() []string {
	var out []string
	for _, s := range t.specs {
		out = append(out, s.Name)
		out = append(out, s.Aliases...)
	}
	return out
}

// unknown explains that the words name no command, and what may have been meant.
func (t *Table) unknown(words []Word) error {
	first := strings.TrimPrefix(words[0].Text, "/")
	e := &UsageError{Col: words[0].Col, Msg: fmt.Sprintf("unknown command %q", first)}
	if group := t.inGroup(first); len(group) > 0 {
		e.Msg = fmt.Sprintf("%q needs a second word: %s", first, strings.Join(group, ", "))
		if len(words) > 1 {
			e.Col = words[1].Col
			e.Msg = fmt.Sprintf("unknown command %q", first+" "+words[1].Text)
			e.Hint = Nearest(words[1].Text, group)
			if e.Hint != "" {
				e.Hint = first + " " + e.Hint
			}
		}
		return e
	}
	e.Hint = Nearest(first, t.names())
	if e.Hint == "" && len(words) > 1 {
		e.Hint = Nearest(first+" "+words[1].Text, t.names())
	}
	return e
}

// inGroup returns the second words of all names that begin with that first word.
func (t *Table) inGroup(first string) []string {
	var out []string
	for _, n := range t.names() {
		if a, b, ok := strings.Cut(n, " "); ok && a == first {
			out = append(out, b)
		}
	}
	slices.Sort(out)
	return out
}
