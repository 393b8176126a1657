package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"peerlab.example/peerlab/internal/sim/guest"
)

// until runs a program again and again until its output matches, for at most half a minute.
func until(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARGS…")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		if err := ts.Exec(args[1], args[2:]...); err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		<-tick.C
	}
	ts.Fatalf("no output that matches %s", args[0])
}

// finds waits until a node has printed something that matches, and gives the first group to a variable.
func finds(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: finds NAME VAR REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	b := ts.Value(nodesKey{}).(nodes)[args[0]]
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 3000 { // half a minute
		if m := want.FindStringSubmatch(b.output.String()); m != nil {
			ts.Setenv(args[1], m[1])
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s has printed nothing that matches %s:\n%s", args[0], args[2], b.output.String())
}

// fetch gets a URL and expects an HTTP status.
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: fetch CODE URL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[1], nil)
	ts.Check(err)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("%s answers with %s, want %s", args[1], got, args[0])
	}
}

// shows gets a URL again and again until its body matches, for at most half a minute, and has that as output.
func shows(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: shows REGEXP URL")
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for transport := (&http.Transport{DisableKeepAlives: true}); ; <-tick.C {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[1], nil)
		ts.Check(err)
		resp, err := transport.RoundTrip(req)
		ts.Check(err)
		body, err := io.ReadAll(resp.Body)
		ts.Check(err)
		ts.Check(resp.Body.Close())
		if want.Match(body) {
			_, err := ts.Stdout().Write(body)
			ts.Check(err)
			return
		}
	}
}

// followURL GETs a URL whose answer does not end; what comes is there for prints and finds, as if a node had printed it.
func followURL(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: follow NAME URL")
	}
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[1], nil)
	ts.Check(err)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	ts.Check(err)
	b := &background{done: make(chan struct{})}
	go func() {
		defer close(b.done)
		_, _ = io.Copy(&b.output, resp.Body) // until one of both sides ends it
		_ = resp.Body.Close()
	}()
	ts.Defer(func() {
		cancel()
		<-b.done
	})
	ts.Value(nodesKey{}).(nodes)[args[0]] = b
}

// hold listens where a node did, and hangs up on whoever comes: until the script ends nobody else can be met there. An
// address may have the http:// of a URL before it.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	for _, addr := range args {
		l, err := net.Listen("tcp", strings.TrimPrefix(addr, "http://"))
		ts.Check(err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
		ts.Defer(func() {
			_ = l.Close()
			<-done
		})
	}
}

// buildGuest builds the guest of the simulation of this program.
func buildGuest(ctx context.Context, dir string) (string, error) {
	file := filepath.Join(dir, "guest.wasm")
	return file, guest.Build(ctx, "peerlab.example/peerlab/cmd/peerlab", file)
}
