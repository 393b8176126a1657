package report

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Timing and bounds of the stream to a page.
const (
	// heartbeat is how long a stream may be silent: shorter than proxies and browsers wait.
	heartbeat = 15 * time.Second
	// gather is how long events are collected before a page is told, so that a burst is one message.
	gather = 100 * time.Millisecond
	// patience is how long a reader may take to take a message. One who takes longer is cut off, and comes back.
	patience = 10 * time.Second
	// maxReaders is how many pages follow at a time.
	maxReaders = 64
)

// ServeHTTP serves the page at "/" and its stream at "/events". Only GET and HEAD are answered, and only to those who ask for this
// machine by a name of the loopback interface: a website cannot make a browser read the page by a name of its own ("DNS rebinding").
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !admit(w, r, loopbackHost) {
		return
	}
	l.serve(w, r, r.URL.Path, "")
}

// admit sets the headers of all answers, and answers requests itself that may not be served: those that do more than read,
// and those for a host by whose name nobody is served.
func admit(w http.ResponseWriter, r *http.Request, known func(host string) bool) bool {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	switch {
	case !known(hostOf(r.Host)):
		http.Error(w, "this page is not served by that name: ask for it as 127.0.0.1 or localhost", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "this page can only be read", http.StatusMethodNotAllowed)
	default:
		return true
	}
	return false
}

// hostOf is a host without its port and brackets.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// serve serves what stands at a path below the page. up is where all runs are, or empty.
func (l *Live) serve(w http.ResponseWriter, r *http.Request, path, up string) {
	switch path {
	case "/":
		l.servePage(w, up)
	case "/events":
		l.serveStream(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (l *Live) servePage(w http.ResponseWriter, up string) {
	run, blocks, f := l.snapshot()
	f.up = up
	a, err := loadAssets()
	var page bytes.Buffer
	if err == nil {
		err = a.render(&page, run, blocks, f)
	}
	servePage(w, a, &page, err)
}

// servePage answers with a page, or with why there is none.
func servePage(w http.ResponseWriter, a assets, page *bytes.Buffer, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", a.policy(true)+"; frame-ancestors 'none'")
	_, _ = w.Write(page.Bytes())
}

// serveStream sends messages as they come, in the form of an EventSource. A browser that comes back says in
// Last-Event-ID what it had last.
func (l *Live) serveStream(w http.ResponseWriter, r *http.Request) {
	if !l.enter() {
		http.Error(w, "too many pages follow this run", http.StatusServiceUnavailable)
		return
	}
	defer l.exit()
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("after")
	}
	epoch, number, _ := strings.Cut(id, ".")
	after, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		epoch = "" // no run's: it is told to load the page again
	}
	if s, ok := openStream(w, r); ok {
		l.follow(r, s, epoch, after)
	}
}

func (l *Live) follow(r *http.Request, s stream, epoch string, after uint64) {
	for going := true; going; {
		messages, ok, wake := l.since(epoch, after)
		if !ok {
			_ = s.send("event: resync\ndata: {}\n\n") // it comes back, or not
			return
		}
		for _, m := range messages {
			if s.send(fmt.Sprintf("id: %s.%d\nevent: %s\ndata: %s\n\n", epoch, m.id, m.kind, m.data)) != nil {
				return
			}
			after = m.id
		}
		going = s.wait(r.Context(), wake, l.closed)
	}
}

// stream is a response that is written piece by piece.
type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
}

// openStream begins to answer with a stream; ok is false when only its headers are asked for, or nobody reads it.
func openStream(w http.ResponseWriter, r *http.Request) (s stream, ok bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	s = stream{w, http.NewResponseController(w)}
	// A server that bounds how long a request may take to read would end the stream after that time.
	_ = s.ctl.SetReadDeadline(time.Time{})
	return s, r.Method != http.MethodHead && s.send("retry: 1000\n\n") == nil
}

// wait waits until there is something new, with signs of life meanwhile, and then for more of it. It reports false when the
// stream is over.
func (s stream) wait(ctx context.Context, wake, closed <-chan struct{}) bool {
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	for woken := false; ; {
		select {
		case <-ctx.Done():
			return false
		case <-closed:
			return false
		case <-timer.C:
			if woken {
				return true
			}
			if s.send(": nothing new\n\n") != nil {
				return false
			}
			timer.Reset(heartbeat)
		case <-wake:
			wake, woken = nil, true
			timer.Reset(gather)
		}
	}
}

func (s stream) send(text string) error {
	// Writers that know no deadline, as in tests, do without.
	_ = s.ctl.SetWriteDeadline(time.Now().Add(patience))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.ctl.Flush()
}

func (l *Live) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers >= maxReaders {
		return false
	}
	l.readers++
	return true
}

func (l *Live) exit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers--
}
