package report

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func said(at time.Duration, node, text string) Event {
	return Event{At: at, Event: &eventv1.Event{Node: node, Seq: 1, What: &eventv1.Event_Shown{Shown: &eventv1.Shown{View: "v", Text: text}}}}
}

// serveLive serves a page on the loopback interface.
func serveLive(t *testing.T) (*Live, *httptest.Server) {
	t.Helper()
	l := NewLive()
	l.Begin(&Run{Suite: "going", Peers: []string{"alice", "bob"}})
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	t.Cleanup(l.Close) // before the server, which waits for its streams
	return l, srv
}

// nextOf is after what the stream of a page goes on.
func nextOf(l *Live) string {
	_, _, f := l.snapshot()
	return f.next
}

// reader reads the stream of a page.
type reader struct {
	t     *testing.T
	lines *bufio.Scanner
	end   func()
}

func follow(t *testing.T, srv *httptest.Server, after, lastID string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/events?after="+after, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the stream is %s", resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<24)
	r := &reader{t, lines, func() { cancel(); _ = resp.Body.Close() }}
	t.Cleanup(r.end)
	return r
}

// next is the next message: its id, kind and data.
func (r *reader) next() (id, kind, data string) {
	r.t.Helper()
	for r.lines.Scan() {
		line := r.lines.Text()
		switch name, value, _ := strings.Cut(line, ": "); {
		case name == "id":
			id = value
		case name == "event":
			kind = value
		case name == "data":
			data = value
		case line == "" && kind != "":
			return id, kind, data
		}
	}
	r.t.Fatalf("the stream ended: %v", r.lines.Err())
	return "", "", ""
}

func TestStreamGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	l, srv := serveLive(t)
	start := nextOf(l)
	r := follow(t, srv, start, "")
	l.Event(said(ms, "alice", "first"))
	id, kind, data := r.next()
	if kind != "block" || !strings.Contains(data, "first") {
		t.Errorf("got %s %s, want a block with the event", kind, data)
	}
	r.end()
	l.Event(said(2*ms, "alice", "second"))
	l.Step(Step{Line: 1, Text: "alice init", Status: Running})
	l.Step(Step{Line: 1, Text: "alice init", Status: Passed})
	r = follow(t, srv, start, id)
	var got []string
	for range 3 {
		_, kind, data := r.next()
		got = append(got, kind+" "+data)
	}
	all := strings.Join(got, "\n")
	if strings.Contains(all, "first") || !strings.Contains(all, "second") || !strings.Contains(all, "running") || !strings.Contains(all, "passed") {
		t.Errorf("after coming back, got\n%s", all)
	}
	run, _, f := l.snapshot()
	if len(run.Steps) != 1 || !f.going {
		t.Errorf("the page has %d steps, going %v, want the one that ended", len(run.Steps), f.going)
	}
	l.Finish(&Run{Suite: "going", Steps: run.Steps})
	if _, kind, _ := r.next(); kind != "done" {
		t.Errorf("got %s, want done", kind)
	}
	l.Begin(&Run{Suite: "the next"})
	if _, kind, _ := r.next(); kind != "resync" {
		t.Errorf("got %s at the next run, want resync", kind)
	}
}

func TestStreamThatCannotGoOnIsToldSo(t *testing.T) {
	t.Parallel()
	l, srv := serveLive(t)
	start := nextOf(l)
	epoch, _, _ := strings.Cut(start, ".")
	for i := range 3 * replay {
		l.Step(Step{Line: i, Status: Passed})
	}
	for _, after := range []string{start, "other.1", epoch + ".999999", "", "nonsense", epoch + ".-1"} {
		if _, kind, _ := follow(t, srv, after, "").next(); kind != "resync" {
			t.Errorf("after %q, got %s, want resync", after, kind)
		}
	}
	if len(l.messages) > 2*replay {
		t.Errorf("%d messages are kept", len(l.messages))
	}
}

func TestLiveIsReadOnlyAndLocal(t *testing.T) {
	t.Parallel()
	_, srv := serveLive(t)
	for _, tt := range []struct {
		method, host, path string
		want               int
	}{
		{"GET", "", "/", 200},
		{"HEAD", "localhost:80", "/", 200},
		{"GET", "[::1]:7", "/", 200},
		{"GET", "127.1.2.3", "/", 200},
		{"GET", "evil.example", "/", 403},
		{"GET", "127.0.0.1.evil.example:80", "/", 403},
		{"GET", "localhost.evil.example", "/events", 403},
		{"GET", "192.0.2.1", "/", 403},
		{"POST", "", "/", 405},
		{"DELETE", "", "/events", 405},
		{"GET", "", "/other", 404},
		{"HEAD", "", "/events", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want || err != nil {
			t.Errorf("%s %s at %q: %d (%v), want %d", tt.method, tt.path, tt.host, resp.StatusCode, err, tt.want)
		}
		if tt.want == 200 && tt.path == "/" && !strings.Contains(resp.Header.Get("Content-Security-Policy"), "connect-src 'self'") {
			t.Error("the page has no policy")
		}
		if tt.want == 403 && bytes.Contains(body, []byte("going")) {
			t.Error("who may not see the page sees something of it")
		}
	}
}

func TestPagesThatFollowAreBounded(t *testing.T) {
	t.Parallel()
	l, srv := serveLive(t)
	start := nextOf(l)
	for range maxReaders {
		follow(t, srv, start, "")
	}
	resp, err := srv.Client().Get(srv.URL + "/events?after=" + start)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more got %d", resp.StatusCode)
	}
}

// sink is a response that can be read in another goroutine's pauses.
type sink struct {
	header http.Header
	body   bytes.Buffer
	full   bool // nothing can be written any more
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}
func (s *sink) Write(p []byte) (int, error) {
	if s.full {
		return 0, fmt.Errorf("i/o timeout")
	}
	return s.body.Write(p)
}

func TestStreamBeatsAndGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLive()
		start := nextOf(l)
		ctx, cancel := context.WithCancel(t.Context())
		s := &sink{header: http.Header{}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.ServeHTTP(s, httptest.NewRequestWithContext(ctx, "GET", "http://localhost/events?after="+start, nil))
		}()
		<-time.After(2*heartbeat + time.Second)
		synctest.Wait()
		if got := strings.Count(s.body.String(), ": nothing new"); got != 2 {
			t.Errorf("%d heartbeats in silence, want 2", got)
		}
		for i := range 50 {
			l.Event(said(time.Duration(i)*ms, "alice", fmt.Sprint("text ", i)))
		}
		<-time.After(2 * gather)
		synctest.Wait()
		if got := strings.Count(s.body.String(), "event: block"); got != 1 {
			t.Errorf("a burst is %d messages, want 1", got)
		}
		cancel()
		<-ended
	})
}

func TestReaderThatTakesNothingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLive()
		start := nextOf(l)
		s := &sink{header: http.Header{}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.ServeHTTP(s, httptest.NewRequest("GET", "http://localhost/events?after="+start, nil))
		}()
		synctest.Wait()
		s.full = true
		l.Event(said(ms, "alice", "x"))
		<-ended
		if l.readers != 0 {
			t.Errorf("%d readers are left", l.readers)
		}
	})
}
