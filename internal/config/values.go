package config

import (
	"fmt"
	"maps"
	"strings"
)

// Layer is who said a value; a higher one wins.
type Layer int

// The layers, the lowest first.
const (
	Default Layer = iota
	File
	Environment
	Flag
	// Console is what was changed while the role ran.
	Console
)

// Value is what a field has, and why.
type Value struct {
	Text  string
	Layer Layer
	// From is the place: "peer.yaml:3:1", "PEERLAB_NAME", "--name".
	From string
}

// Origin names who said it, such as "file peer.yaml:3:1".
func (v Value) Origin() string {
	origin := []string{"default", "file", "env", "flag", "console"}[v.Layer]
	if v.From == "" {
		return origin
	}
	if v.Layer == Default {
		return v.From
	}
	return origin + " " + v.From
}

// Said is what one source says of some fields.
type Said map[string]Value

// Values are the fields of a table with what was said about them. They do not change.
type Values struct {
	table *Table
	said  Said
}

// Resolve puts what sources said above each other: for each field, the highest layer wins. It fails with all that is wrong with
// the fields together.
func (t *Table) Resolve(sources ...Said) (Values, error) {
	v := Values{table: t, said: Said{}}
	for _, source := range sources {
		for key, value := range source {
			if now, ok := v.said[key]; !ok || value.Layer >= now.Layer {
				v.said[key] = value
			}
		}
	}
	return v, v.validate()
}

func (v Values) validate() error {
	if v.table.check == nil {
		return nil
	}
	var problems Problems
	for _, trouble := range v.table.check(v.Get) {
		err := trouble.Err
		if from := v.Value(trouble.Key); from.Layer > Default && from.From != "" {
			err = fmt.Errorf("%s: %w", from.From, err)
		}
		problems = append(problems, err)
	}
	return problems.err()
}

// Get is the value of a field. It panics on a key that the table does not have: that is a mistake of the programmer.
func (v Values) Get(key string) string { return v.Value(key).Text }

// Value is the value of a field, and why it has that.
func (v Values) Value(key string) Value {
	if said, ok := v.said[key]; ok {
		return said
	}
	return v.unsaid(key)
}

// unsaid is what a field has when nobody says anything.
func (v Values) unsaid(key string) Value {
	f, err := v.table.field(key)
	if err != nil {
		panic(err)
	}
	if f.Inherit == nil {
		return Value{Text: f.Default}
	}
	text, from := f.Inherit(v.Get)
	text = f.settle(text)
	return Value{Text: text, From: from}
}

// with is v with other things said.
func (v Values) with(changes Said) Values {
	said := maps.Clone(v.said)
	maps.Copy(said, changes)
	return Values{table: v.table, said: said}
}

// Problems are all that is wrong with what a source says, one a line.
type Problems []error

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.Is and errors.As the problems.
func (p Problems) Unwrap() []error { return p }

func (p *Problems) addf(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// err is p, or nil without problems.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
