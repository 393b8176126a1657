package config

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"peerlab.example/peerlab/app"
)

// Commands are "config show", "config set", "config save" and "config load".
func (r *Runtime) Commands() []app.Spec {
	c := commands{runtime: r, table: r.table, group: "config", of: "the configuration"}
	return []app.Spec{c.show(), c.set(), c.save(), c.load()}
}

// CommandsFor are show, save and load for some fields, as commands of another group. of is what they are of, such as "the timings of membership". Each name
// is also known with alias in place of group.
func (r *Runtime) CommandsFor(group, alias, of string, keys []string) []app.Spec {
	c := commands{runtime: r, table: r.table.Only(keys), group: group, alias: alias, of: of}
	return []app.Spec{c.show(), c.save(), c.load()}
}

// commands are those of one part of the table.
type commands struct {
	runtime   *Runtime
	table     *Table
	group, of string
	alias     string // another group with the same commands; may be empty
}

// spec gives a command its names.
func (c commands) spec(word string, s app.Spec) app.Spec {
	s.Name, s.Group = c.group+" "+word, c.group
	if c.alias != "" {
		s.Aliases = []string{c.alias + " " + word}
	}
	return s
}

// fields offers the keys, with what the fields have now.
func (c commands) fields() []app.Suggestion {
	var out []app.Suggestion
	values := c.runtime.peek()
	for _, key := range c.table.Keys() {
		out = append(out, app.Suggestion{Text: key, Description: values.Get(key)})
	}
	return out
}

// settable offers those that can change while the peer runs, be it only before member start.
func (c commands) settable() []app.Suggestion {
	var out []app.Suggestion
	values := c.runtime.peek()
	for _, f := range c.table.fields {
		s := app.Suggestion{Text: f.Key, Description: values.Get(f.Key)}
		switch f.Live {
		case AtStart:
			continue
		case WhileStopped:
			s.Description += " (changes " + string(f.Live) + ")"
		case Always:
		}
		out = append(out, s)
	}
	return out
}

// offers are the values for the field that was typed before.
func (c commands) offers(before []string) []app.Suggestion {
	if len(before) == 0 {
		return nil
	}
	f, err := c.table.field(before[0])
	if err != nil {
		return nil
	}
	now := c.runtime.peek().Get(f.Key)
	var out []app.Suggestion
	for _, v := range f.offers() {
		s := app.Suggestion{Text: v}
		if v == now {
			s.Description = "now"
		}
		out = append(out, s)
	}
	return out
}

func (c commands) show() app.Spec {
	return c.spec("show", app.Spec{
		Summary: "show " + c.of + ", or one field of it",
		Detail:  "Of secrets, only the names of the files are shown.",
		Example: c.group + " show --origin",
		Params:  []app.Param{{Name: "field", Kind: app.Word, Optional: true, Complete: c.fields}},
		Flags:   []app.Flag{{Name: "origin", Kind: app.Bool, Summary: "say of each value where it comes from"}},
		Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
			values := c.runtime.Values()
			if args.Has("field") {
				return c.showField(values, args.String("field"))
			}
			t := app.Table{Columns: []string{"field", "value", "live"}}
			if args.Bool("origin") {
				t.Columns = []string{"field", "value", "origin", "live"}
			}
			for _, f := range c.table.fields {
				v := values.Value(f.Key)
				row := []any{f.Key, v.Text, string(f.Live)}
				if args.Bool("origin") {
					row = []any{f.Key, v.Text, v.Origin(), string(f.Live)}
				}
				t.Add(row...)
			}
			return t, nil
		},
	})
}

func (c commands) showField(values Values, key string) (any, error) {
	f, err := c.table.field(key)
	if err != nil {
		return nil, err
	}
	v := values.Value(f.Key)
	return app.Record{
		{Name: "field", Value: f.Key}, {Name: "value", Value: v.Text}, {Name: "origin", Value: v.Origin()},
		{Name: "live", Value: string(f.Live)}, {Name: "env", Value: f.Env()}, {Name: "summary", Value: f.Summary},
	}, nil
}

func (c commands) set() app.Spec {
	return c.spec("set", app.Spec{
		Summary: "change one field of " + c.of + " now",
		Detail: "Which fields can change is in the column live of " + c.group + " show. Of the others, the command says that they need\n" +
			"a restart, and changes nothing.",
		Example: c.group + " set log-level debug",
		Params: []app.Param{
			{Name: "field", Kind: app.Word, Complete: c.settable},
			{Name: "value", Kind: app.Word, CompleteAfter: c.offers},
		},
		Run: func(_ context.Context, env *app.Env, args app.Args) (any, error) {
			f, err := c.table.field(args.String("field"))
			if err != nil {
				return nil, err
			}
			if f.Kind == app.File && env.Remote {
				return nil, fmt.Errorf("%s names a file, and can be set only at the console of the peer itself", f.Key)
			}
			text, err := f.parse(args.String("value"))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Key, err)
			}
			changes, err := c.runtime.Apply(Said{f.Key: {Text: text, Layer: Console}}, true)
			if err != nil || len(changes) == 0 {
				return nil, oneLine(err)
			}
			return app.Record{{Name: "field", Value: f.Key}, {Name: "value", Value: text}, {Name: "was", Value: changes[0].Was}}, nil
		},
	})
}

func (c commands) save() app.Spec {
	return c.spec("save", app.Spec{
		Local:   true,
		Summary: "write " + c.of + " to a file, which only you can read",
		Detail: "Fields that have their defaults are left out. A file that is there is replaced only if it is such a\n" +
			"configuration, or with --force.",
		Example: c.group + " save peer.yaml",
		Params:  []app.Param{{Name: "file", Kind: app.File}},
		Flags:   []app.Flag{{Name: "force", Kind: app.Bool, Summary: "replace a file that is something else"}},
		Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
			return nil, oneLine(c.only(c.runtime.Values()).Save(args.String("file"), args.Bool("force")))
		},
	})
}

// only is what is said of the fields of the commands.
func (c commands) only(v Values) Values {
	sub := Values{table: c.table, said: Said{}}
	for _, key := range c.table.Keys() {
		if said, ok := v.said[key]; ok {
			sub.said[key] = said
		}
	}
	return sub
}

func (c commands) load() app.Spec {
	return c.spec("load", app.Spec{
		Local:   true,
		Summary: "change the fields that a file names, as far as they can change now",
		Detail: "The file is as " + c.group + " save writes it. Fields that it does not name stay as they are. The others are listed with what\n" +
			"became of them. With any error in the file, nothing changes.",
		Example: c.group + " load peer.yaml",
		Params:  []app.Param{{Name: "file", Kind: app.File}},
		Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
			said, err := c.table.Load(args.String("file"))
			if err != nil {
				return nil, oneLine(err)
			}
			changes, err := c.runtime.Apply(said, false)
			if err != nil {
				return nil, oneLine(err)
			}
			t := app.Table{Columns: []string{"field", "value", "was", "state"}}
			for _, change := range changes {
				state := "applied"
				if change.Later != "" {
					state = "needs restart: " + change.Later
				}
				t.Add(change.Key, change.Value, change.Was, state)
			}
			return t, nil
		},
	})
}

// oneLine is for the console, which shows an error on one line.
func oneLine(err error) error {
	if err == nil || !strings.Contains(err.Error(), "\n") {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
