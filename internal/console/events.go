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

// EventSource calls each for the events of a peer that happen from now on, until ctx ends or the source
// fails. missed counts those that were lost before the event because the reader was slow. Only the kinds given
// are wanted; none means all.
type EventSource func(ctx context.Context, kinds []string, each func(e *eventv1.Event, missed uint64)) error

// LogEvents is the EventSource of a log in this process.
func LogEvents(log *event.Log) EventSource {
	return func(ctx context.Context, kinds []string, each func(*eventv1.Event, uint64)) error {
		r := log.Read(log.Last())
		var skipped uint64
		for {
			e, missed, err := r.Next(ctx)
			if err != nil {
				return err
			}
			if skipped += missed; len(kinds) == 0 || slices.Contains(kinds, event.Kind(e)) {
				each(e, skipped)
				skipped = 0
			}
		}
	}
}

// ClientEvents is the EventSource of a peer that runs elsewhere.
func ClientEvents(client eventv1.EventServiceClient) EventSource {
	return func(ctx context.Context, kinds []string, each func(*eventv1.Event, uint64)) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// All that is kept comes first; what happened before is not wanted.
		stream, err := client.WatchEvents(ctx, &eventv1.WatchEventsRequest{Kinds: kinds, NewOnly: true})
		if err != nil {
			return callError(ctx, err)
		}
		for {
			m, err := stream.Recv()
			if err != nil {
				return callError(ctx, err)
			}
			each(m.GetEvent(), m.GetMissed())
		}
	}
}

// feed shows events while it runs.
type feed struct {
	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu; nil when it does not run
	done   chan struct{}      // guarded by mu; closed when it has ended
}

// start replaces what runs.
func (f *feed) start(run func(ctx context.Context)) {
	f.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	f.cancel, f.done = cancel, done
	go func() {
		defer close(done)
		run(ctx)
	}()
}

// stop ends what runs, and waits for it.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
		<-f.done
		f.cancel = nil
	}
}

var errNoEvents = errors.New("this console has no events")

// showEvents shows events of these kinds from now on.
func (s *Session) showEvents(kinds []string) error {
	if s.cfg.Events == nil {
		return errNoEvents
	}
	s.feed.start(func(ctx context.Context) {
		err := s.cfg.Events(ctx, kinds, func(e *eventv1.Event, missed uint64) {
			if missed > 0 {
				s.cfg.Output.Println(fmt.Sprintf("… %d events are not shown: they came too fast", missed))
			}
			s.cfg.Output.Println(eventLine(e, s.Format()))
		})
		if ctx.Err() == nil && err != nil {
			s.cfg.Output.Println("events have ended: " + err.Error())
		}
	})
	return nil
}

// FollowShown shows the lines that the peer shows its own user, such as messages of others, until Close: a console elsewhere
// has them from nowhere else. It begins anew when the peer cannot be reached.
func (s *Session) FollowShown() {
	s.shown.start(func(ctx context.Context) {
		for ctx.Err() == nil {
			_ = s.cfg.Events(ctx, []string{"shown"}, func(e *eventv1.Event, missed uint64) {
				if missed > 0 {
					s.cfg.Output.Println("… some lines are not shown: they came too fast")
				}
				s.cfg.Output.Println(e.GetShown().GetText())
			})
			_ = wait(ctx, followAgain)
		}
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
