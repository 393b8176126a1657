package console

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func joined(peer string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Joined{Joined: &eventv1.Member{Peer: peer, Addr: "127.0.0.1:1"}}}
}

func shownLine(text string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Shown{Shown: &eventv1.Shown{View: "messages", Text: text}}}
}

// events on shows what happens from then on, of the kinds that are wanted, until events off.
func TestEventsOnAndOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, exec, _ := newTestBackend(t)
		log := event.New("alice", event.Keep)
		var out bytes.Buffer
		s := NewSession(SessionConfig{Engine: NewLocal(exec, testLive()), Output: NewOutput(&out, &out), Events: LogEvents(log)})
		defer s.Close()
		do := func(line string) {
			t.Helper()
			if o := s.Execute(t.Context(), line, &out); o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		log.Emit(joined("before"))
		if o := s.Execute(t.Context(), "events on kind=joind", &out); o.Err == nil || !strings.Contains(o.Err.Error(), `did you mean "joined"?`) {
			t.Errorf("a misspelt kind: %v", o.Err)
		}
		do("events on kind=of-an-application")
		do("events on kind=joined,left")
		var told bytes.Buffer
		if o := s.Execute(t.Context(), "events", &told); o.Err != nil || told.String() != "events  on\nkinds   joined,left\n" {
			t.Errorf("events tells %q, %v", told.String(), o.Err)
		}
		log.Emit(joined("bob"))
		log.Emit(shownLine("hello"))
		synctest.Wait()
		do("set output json")
		log.Emit(joined("two\nlines"))
		synctest.Wait()
		do("events off")
		log.Emit(joined("after"))
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.HasSuffix(lines[0], " joined addr=127.0.0.1:1 peer=bob") ||
			!strings.Contains(lines[1], `"fields":{"addr":"127.0.0.1:1","id":"","peer":"two\nlines"},"kind":"joined","node":"alice"`) {
			t.Errorf("%q", lines)
		}
	})
}

// A console elsewhere shows what the peer shows, with control characters taken out.
func TestFollowShownElsewhere(t *testing.T) {
	t.Parallel()
	log := event.New("alice", event.Keep)
	server := grpc.NewServer()
	eventv1.RegisterEventServiceServer(server, event.NewService(log))
	l := bufconn.Listen(1 << 20)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // ends with Stop
	defer serving.Wait()
	defer server.Stop()
	conn, err := grpc.NewClient("passthrough:test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	lines := make(chan string, 10)
	out := NewOutput(&bytes.Buffer{}, newLineWriter(func(p piece) { lines <- p.text }))
	s := NewSession(SessionConfig{Output: out, Events: ClientEvents(eventv1.NewEventServiceClient(conn))})
	defer s.Close()
	log.Emit(shownLine("before"))
	if err := s.FollowShown(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.Emit(joined("bob"))
	log.Emit(shownLine("<bob> \x1b[2Jhello"))
	if got := <-lines; got != "<bob> [2Jhello" {
		t.Errorf("%q", got)
	}
}
