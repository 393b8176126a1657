package chat

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
)

var pingTimeout = app.Flag{Name: "timeout", Short: "t", Kind: app.Duration, Default: pingWait.String(), Summary: "how long to wait for answers"}

// answer is what came of a ping.
type answer struct {
	s   *session
	rtt time.Duration
	err error
}

func (c *Chat) ping(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
	r, err := c.started()
	if err != nil {
		return nil, err
	}
	others := r.others()
	if len(others) == 0 {
		return "nobody else is in the chat", nil
	}
	answers, err := pingAll(ctx, others, args.Duration(pingTimeout.Name))
	if err != nil {
		return nil, err
	}
	t := app.Table{Columns: []string{"name", "rtt", "error"}}
	for _, a := range answers {
		if a.err != nil {
			t.Add(a.s.member().Name, nil, a.err.Error())
			continue
		}
		t.Add(a.s.member().Name, a.rtt.Round(time.Microsecond), nil)
	}
	return t, nil
}

func (c *Chat) memberPing(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
	r, err := c.started()
	if err != nil {
		return nil, err
	}
	who := args.String("name")
	if who == r.self.Name {
		return nil, fmt.Errorf("%s is this peer", who)
	}
	var names []string
	for _, s := range r.others() {
		if names = append(names, s.member().Name); names[len(names)-1] != who {
			continue
		}
		answers, err := pingAll(ctx, []*session{s}, args.Duration(pingTimeout.Name))
		if err != nil {
			return nil, err
		}
		if answers[0].err != nil {
			return nil, fmt.Errorf("%s: %w", who, answers[0].err)
		}
		return app.Record{{Name: "name", Value: who}, {Name: "rtt", Value: answers[0].rtt.Round(time.Microsecond)}}, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s is not in the chat; nobody else is", who)
	}
	return nil, fmt.Errorf("%s is not in the chat; there are: %s", who, strings.Join(names, ", "))
}

// pingAll asks all at once. The error is that the command was cancelled.
func pingAll(ctx context.Context, others []*session, timeout time.Duration) ([]answer, error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := make([]answer, len(others))
	var asked sync.WaitGroup
	for i, s := range others {
		asked.Go(func() {
			rtt, err := s.ping(bounded)
			answers[i] = answer{s, rtt, err}
		})
	}
	asked.Wait()
	return answers, ctx.Err()
}

// others are the sessions with those that are in the chat, by name.
func (r *run) others() []*session {
	var out []*session
	for _, s := range r.all() {
		s.mu.Lock()
		if s.takesPart() {
			out = append(out, s)
		}
		s.mu.Unlock()
	}
	return out
}

// otherNames offers those that can be asked.
func (c *Chat) otherNames() []app.Suggestion {
	r := c.running()
	if r == nil {
		return nil
	}
	var out []app.Suggestion
	for _, s := range r.others() {
		m := s.member()
		out = append(out, app.Suggestion{Text: m.Name, Description: string(m.State)})
	}
	return out
}
