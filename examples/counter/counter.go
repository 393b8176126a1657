package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"peerlab.example/peerlab/app"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// counter holds named PN-counters (Shapiro et al. 2011): each member writes only an entry of its own, with what it added
// and subtracted so far. The value is the sum over all entries, in whatever order they come, of those who have left, too.
type counter struct {
	mu   sync.Mutex
	peer app.Peer // guarded by mu; nil while the application does not run
}

func (c *counter) Name() string                   { return "counter" }
func (c *counter) Stop(ctx context.Context) error { return c.Start(ctx, nil) }

func (c *counter) Start(_ context.Context, p app.Peer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peer = p
	return nil
}

// Changed is told what other members counted.
func (c *counter) Changed(e app.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, name, _ := strings.Cut(e.Key, "/")
	c.tell(name)
}

func (c *counter) Commands() []app.Spec {
	params := []app.Param{{Name: "name", Kind: app.Word, Complete: c.names}, {Name: "by", Kind: app.Int, Optional: true}}
	return []app.Spec{
		{Name: "counter add", Summary: "add 1, or more, to a counter", Example: "counter add visits 3", Params: params, Run: c.change(1, 0)},
		{Name: "counter sub", Summary: "subtract 1, or more", Example: "counter sub visits", Params: params, Run: c.change(0, 1)},
		{Name: "counter value", Summary: "show a counter", Example: "counter value visits", Params: params[:1], Run: c.change(0, 0)},
	}
}

// change makes a command that counts up and down by so much; by nothing, it only shows the counter.
func (c *counter) change(up, down int) func(context.Context, *app.Env, app.Args) (any, error) {
	return func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		name, by := args.String("name"), 1
		switch {
		case c.peer == nil:
			return nil, app.ErrNotStarted
		case up+down == 0:
			return c.values()[name], nil
		case args.Has("by"):
			by = args.Int("by")
		}
		key := c.peer.Self().ID + "/" + name
		plus, minus := decode(c.peer.Data().Get(key))
		err := c.peer.Data().Set(key, fmt.Appendf(nil, "%d %d", plus+up*by, minus+down*by))
		return c.tell(name), err
	}
}

func decode(entry []byte, _ bool) (plus, minus int) {
	_, _ = fmt.Sscanf(string(entry), "%d %d", &plus, &minus) // what is no entry counts nothing
	return plus, minus
}

func (c *counter) values() map[string]int {
	values := map[string]int{}
	for _, e := range c.peer.Data().Entries() {
		_, name, _ := strings.Cut(e.Key, "/")
		plus, minus := decode(e.Value, true)
		values[name] += plus - minus
	}
	return values
}

// tell makes an event of a value, for suites and whoever else watches.
func (c *counter) tell(name string) int {
	value := c.values()[name]
	fields := map[string]string{"counter": name, "value": fmt.Sprint(value)}
	c.peer.Emit(&eventv1.Event{What: &eventv1.Event_Custom{Custom: &eventv1.Custom{App: "counter", Kind: "counted", Fields: fields}}})
	return value
}

func (c *counter) names() (out []app.Suggestion) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peer != nil {
		for name, value := range c.values() {
			out = append(out, app.Suggestion{Text: name, Description: fmt.Sprint(value)})
		}
	}
	return out
}
