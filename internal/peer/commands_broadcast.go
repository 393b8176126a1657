package peer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// broadcastCommands are those of the keys and values that all members replicate.
func (p *Peer) broadcastCommands() []app.Spec {
	d := data{peer: p, application: consoleData}
	key := app.Param{Name: "key", Kind: app.Text, Complete: func() []app.Suggestion { return keySuggestions(d.Entries()) }}
	return []app.Spec{
		{
			Name:    "broadcast add",
			Summary: "give a key a value, at all members",
			Detail: fmt.Sprintf("The last write wins, by a hybrid clock. Members that join later get it too. A key has at most %d bytes, a value %d;\n"+
				"a group holds %d keys, and %d KiB of keys and values, those of the applications included.",
				app.MaxKey, app.MaxValue, app.MaxEntries, app.MaxData>>10),
			Example: "broadcast add colour light blue",
			Params:  []app.Param{key, {Name: "value", Kind: app.Text, Repeated: true}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, p.writing("broadcast add", d.Set(args.String("key"), []byte(strings.Join(args.All("value"), " "))))
			},
		},
		{
			Name:    "broadcast del",
			Summary: "delete a key, at all members; one that is not known is no error",
			Example: "broadcast del colour",
			Params:  []app.Param{key},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, p.writing("broadcast del", d.Delete(args.String("key")))
			},
		},
		{
			Name:    "broadcast list",
			Summary: "list the keys and values as this peer knows them",
			Example: "broadcast list",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				t := app.Table{Columns: []string{"key", "value", "by", "written"}}
				for _, e := range d.Entries() {
					t.Add(command.Clean(e.Key), command.Clean(string(e.Value)), command.Clean(p.writer(e.Stamp.Node)), e.Stamp.Time())
				}
				return t, nil
			},
		},
	}
}

// writing says which step is missing when a write was refused because membership does not run.
func (p *Peer) writing(what string, err error) error {
	switch {
	case errors.Is(err, app.ErrNotStarted):
		return fmt.Errorf("%s: membership does not run yet; first: member start (or init)", what)
	case err != nil:
		return fmt.Errorf("broadcast: %w", err)
	}
	return nil
}

// keySuggestions offer keys, with a glance at the value.
func keySuggestions(entries []app.Entry) []app.Suggestion {
	const glance = 40 // runes
	out := make([]app.Suggestion, 0, len(entries))
	for _, e := range entries {
		value := []rune(command.Clean(string(e.Value)))
		if len(value) > glance {
			value = append(value[:glance-1], '…')
		}
		out = append(out, app.Suggestion{Text: command.Clean(e.Key), Description: string(value)})
	}
	return out
}
