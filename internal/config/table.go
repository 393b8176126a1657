package config

import (
	"fmt"
	"slices"
	"strings"

	"peerlab.example/peerlab/app"
)

// Table is all that can be configured of a role. It does not change.
type Table struct {
	// Role is named in files and messages, such as "peerlab peer".
	role   string
	fields []Field
	// check finds what is wrong with fields together.
	check func(get func(key string) string) []Trouble
}

// Trouble is what is wrong with fields together. Its place is that of one of them.
type Trouble struct {
	Key string
	Err error
}

// New checks the fields and makes a table of them. check, which may be nil, lists what is wrong with values that are
// right one by one. A mistake in the fields is an error: the program has it, not its user.
func New(role string, fields []Field, check func(get func(key string) string) []Trouble) (*Table, error) {
	t := &Table{role: role, fields: fields, check: check}
	seen := map[string]bool{versionKey: true}
	for _, f := range fields {
		if seen[f.Key] || f.Key != strings.ToLower(f.Key) || f.Summary == "" || f.Live == "" || f.Group == "" {
			return nil, fmt.Errorf("field %q is twice in the table, or not complete", f.Key)
		}
		seen[f.Key] = true
		if f.DefaultDoc != "" || f.Inherit != nil {
			continue
		}
		if value, err := f.canonical(f.Default); err != nil || value != f.Default {
			return nil, fmt.Errorf("field %q: default %q: %w", f.Key, f.Default, err)
		}
	}
	return t, nil
}

// Fields are all fields, in the order of the table. They are not to be changed.
func (t *Table) Fields() []Field { return t.fields }

// Keys are the keys of all fields.
func (t *Table) Keys() []string {
	keys := make([]string, len(t.fields))
	for i, f := range t.fields {
		keys[i] = f.Key
	}
	return keys
}

// Only is the part of the table that has these keys.
func (t *Table) Only(keys []string) *Table {
	sub := &Table{role: t.role}
	for _, f := range t.fields {
		if slices.Contains(keys, f.Key) {
			sub.fields = append(sub.fields, f)
		}
	}
	return sub
}

// field finds a field by its key.
func (t *Table) field(key string) (Field, error) {
	for i := range t.fields {
		if t.fields[i].Key == key {
			return t.fields[i], nil
		}
	}
	return Field{}, fmt.Errorf("there is no field %s%s", quote(key), t.hint(key))
}

// hint says which key was probably meant.
func (t *Table) hint(key string) string { return didYouMean(key, t.Keys()) }

// offers are the values that a field may have, for completion.
func (f Field) offers() []string {
	switch f.Kind {
	case app.Bool:
		return []string{"true", "false"}
	case Levels:
		var out []string
		for _, name := range f.Names {
			for _, value := range f.Values {
				out = append(out, name+"="+value)
			}
		}
		return out
	default:
		return f.Values
	}
}
