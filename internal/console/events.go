package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// EventSource begins to read the events of a peer that happen from now on; it returns when nothing that happens later can be
// missed. Only the kinds given are wanted; none means all. The stream ends with ctx.
type EventSource func(ctx context.Context, kinds []string) (EventStream, error)

// EventStream returns the next event, and how many were lost before it because the reader was slow.
type EventStream func() (e *eventv1.Event, missed uint64, err error)

// LogEvents is the EventSource of a log in this process.
func LogEvents(log *event.Log) EventSource {
	return func(ctx context.Context, kinds []string) (EventStream, error) {
		r := log.Read(log.Last())
		return func() (*eventv1.Event, uint64, error) {
			var missed uint64
			for {
				e, m, err := r.Next(ctx)
				missed += m
				if err != nil || len(kinds) == 0 || slices.Contains(kinds, event.Kind(e)) {
					return e, missed, err
				}
			}
		}, nil
	}
}

// ClientEvents is the EventSource of a peer that runs elsewhere.
func ClientEvents(client eventv1.EventServiceClient) EventSource {
	return func(ctx context.Context, kinds []string) (EventStream, error) {
		stream, err := client.WatchEvents(ctx, &eventv1.WatchEventsRequest{Kinds: kinds, NewOnly: true})
		if err == nil {
			_, err = stream.Header() // comes when the peer has begun to read
		}
		if err != nil {
			return nil, callError(ctx, err)
		}
		return func() (*eventv1.Event, uint64, error) {
			m, err := stream.Recv()
			if err != nil {
				return nil, 0, callError(ctx, err)
			}
			return m.GetEvent(), m.GetMissed(), nil
		}, nil
	}
}

// feed shows events while it runs.
type feed struct {
	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu; nil when it does not run
	done   chan struct{}      // guarded by mu; closed when it has ended
	kinds  []string           // guarded by mu; of the events; none means all
}

// showing says whether it runs, and for which kinds.
func (f *feed) showing() (on bool, kinds []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel == nil {
		return false, nil
	}
	select {
	case <-f.done:
		return false, nil
	default:
		return true, f.kinds
	}
}

// start replaces what runs. begin returns what is to run, in a goroutine of its own; both end with the ctx that they are given.
// parent bounds begin alone. kinds are for showing.
func (f *feed) start(parent context.Context, kinds []string, begin func(ctx context.Context) (run func(), err error)) error {
	ctx, cancel := context.WithCancel(context.Background())
	detach := context.AfterFunc(parent, cancel)
	run, err := begin(ctx)
	if !detach() && err == nil {
		err = context.Cause(parent)
	}
	if err != nil {
		cancel()
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
	f.cancel, f.done, f.kinds = cancel, done, kinds
	return nil
}

// stop ends what runs, and waits for it.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end()
}

// end is stop with mu held.
func (f *feed) end() {
	if f.cancel != nil {
		f.cancel()
		<-f.done
		f.cancel = nil
	}
}

var errNoEvents = errors.New("this console has no events")

// showEvents shows events of these kinds from now on.
func (s *Session) showEvents(ctx context.Context, kinds []string) error {
	if s.cfg.Events == nil {
		return errNoEvents
	}
	return s.feed.start(ctx, kinds, func(ctx context.Context) (func(), error) {
		next, err := s.cfg.Events(ctx, kinds)
		return func() {
			err := s.showAll(next, func(e *eventv1.Event) string { return eventLine(e, s.Format()) })
			if ctx.Err() == nil {
				s.cfg.Output.Println("events have ended: " + err.Error())
			}
		}, err
	})
}

// showAll shows the events of a stream until it ends.
func (s *Session) showAll(next EventStream, line func(*eventv1.Event) string) error {
	for {
		e, missed, err := next()
		if err != nil {
			return err
		}
		if missed > 0 {
			s.cfg.Output.Println(fmt.Sprintf("… %d events before this one are not shown: they came too fast", missed))
		}
		s.cfg.Output.Println(line(e))
	}
}

// FollowShown shows the lines that the peer shows its own user, such as messages of others, until Close: a console elsewhere
// has them from nowhere else. ctx bounds only the beginning. It begins anew when the peer was gone for a while.
func (s *Session) FollowShown(ctx context.Context) error {
	return s.shown.start(ctx, []string{"shown"}, func(ctx context.Context) (func(), error) {
		next, err := s.cfg.Events(ctx, []string{"shown"})
		return func() {
			for ctx.Err() == nil {
				if next != nil {
					_ = s.showAll(next, func(e *eventv1.Event) string { return e.GetShown().GetText() })
				}
				if wait(ctx, followAgain) == nil {
					next, _ = s.cfg.Events(ctx, []string{"shown"})
				}
			}
		}, err
	})
}

// followAgain is how long FollowShown waits after the stream has ended.
const followAgain = 2 * time.Second

// eventLine is an event as a line: for people, or as JSON where results are for machines.
func eventLine(e *eventv1.Event, format command.Format) string {
	kind, fields, at := event.Kind(e), event.Fields(e), e.GetTime().AsTime().Local()
	names := slices.Sorted(maps.Keys(fields))
	if format != command.FormatTable {
		all := map[string]any{"kind": kind, "node": e.GetNode(), "seq": e.GetSeq(), "time": at.Format(time.RFC3339Nano), "fields": fields}
		line, _ := json.Marshal(all) // strings and a number
		return string(line)
	}
	parts := []string{at.Format("15:04:05.000"), kind}
	for _, name := range names {
		if v := fields[name]; v != "" && v != "0" {
			parts = append(parts, name+"="+command.Quote(v))
		}
	}
	return strings.Join(parts, " ")
}
