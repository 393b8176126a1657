package chat

import (
	"context"
	"strings"

	"peerlab.example/peerlab/app"
)

// Commands implements app.App.
func (c *Chat) Commands() []app.Spec {
	return []app.Spec{
		{
			Name: "chat msg", Aliases: []string{"msg"},
			Summary: "send a message to all others in the chat",
			Detail:  "Words stand as they are, separated by one blank each; quotes keep more. The sender does not wait for the receivers.",
			Example: "msg hello everybody",
			Params:  []app.Param{{Name: "text", Kind: app.Text, Repeated: true}},
			Run:     c.msg,
		},
		{
			Name:    "chat members",
			Summary: "list the others in the chat",
			Detail: "state: linking (it has not greeted yet), linked, relinking (the link broke, and messages wait), or leaving.\n" +
				"queued: messages to it that are not acknowledged yet.",
			Example: "chat members",
			Run:     c.members,
		},
		{
			Name:    "chat ping",
			Summary: "ask all others in the chat for an answer, and show how long each takes",
			Detail:  "A ping goes the way of the messages, on the same link; without one, it waits for one. So rtt is what a message and its acknowledgement would take.",
			Example: "chat ping --timeout 500ms",
			Flags:   []app.Flag{pingTimeout},
			Run:     c.ping,
		},
		{
			Name: "chat member-ping", Aliases: []string{"chat memberping"},
			Summary: "ask one of the others for an answer, as chat ping does; no answer is an error",
			Example: "chat member-ping bob",
			Params:  []app.Param{{Name: "name", Kind: app.Word, Complete: c.otherNames}},
			Flags:   []app.Flag{pingTimeout},
			Run:     c.memberPing,
		},
		{
			Name:    "chat stats",
			Summary: "show what was sent, delivered, received and dropped, for each of the others",
			Detail:  "dropped counts messages to that peer that found its queue full, or were queued when it went.",
			Example: "chat stats",
			Run:     c.stats,
		},
	}
}

func (c *Chat) msg(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	r, err := c.started()
	if err != nil {
		return nil, err
	}
	n, err := r.send(strings.Join(args.All("text"), " "))
	if err == nil && n == 0 {
		return "nobody else is in the chat", nil
	}
	return nil, err
}

func (c *Chat) members(context.Context, *app.Env, app.Args) (any, error) {
	r, err := c.started()
	if err != nil {
		return nil, err
	}
	t := app.Table{Columns: []string{"name", "state", "address", "queued"}}
	for _, s := range r.all() {
		s.mu.Lock()
		if s.takesPart() {
			t.Add(s.m.Name, s.state(), s.m.RPCAddr, len(s.queue))
		}
		s.mu.Unlock()
	}
	return t, nil
}

// takesPart reports whether the member is in the chat, as far as is known. The lock is held.
func (s *session) takesPart() bool { return s.remote != "" || s.m.Runs(name) }

// state is that of the link, for people. The lock is held.
func (s *session) state() string {
	switch {
	case s.phase >= leaving:
		return "leaving"
	case s.link != nil:
		return "linked"
	case s.remote == "":
		return "linking"
	}
	return "relinking"
}

func (c *Chat) stats(context.Context, *app.Env, app.Args) (any, error) {
	r, err := c.started()
	if err != nil {
		return nil, err
	}
	t := app.Table{Columns: []string{"name", "sent", "delivered", "queued", "dropped", "received", "reconnects"}}
	var sum stats
	queued, reconnects := 0, uint64(0)
	for _, s := range r.all() {
		s.mu.Lock()
		st, q, who := s.stats, len(s.queue), s.m.Name
		s.mu.Unlock()
		again := max(st.links, 1) - 1
		t.Add(who, st.sent, st.delivered, q, st.dropped, st.received, again)
		sum.sent += st.sent
		sum.delivered += st.delivered
		sum.received += st.received
		sum.dropped += st.dropped
		queued += q
		reconnects += again
	}
	r.mu.Lock()
	sum.dropped += r.dropped
	r.mu.Unlock()
	t.Add("total", sum.sent, sum.delivered, queued, sum.dropped, sum.received, reconnects)
	return t, nil
}
