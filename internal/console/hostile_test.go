package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
)

// strange is a peer of which a console must expect everything.
type strange struct {
	consolev1.ConsoleServiceClient
	delay  time.Duration // before it tells of its commands
	refuse bool          // to tell of them
	output string        // of each command
	times  int
}

func (s *strange) Commands(ctx context.Context, _ *consolev1.CommandsRequest, _ ...grpc.CallOption) (*consolev1.CommandsResponse, error) {
	if err := wait(ctx, s.delay); err != nil || s.refuse {
		return nil, errors.Join(err, errTest)
	}
	return &consolev1.CommandsResponse{Commands: []*consolev1.Command{
		{Name: "NOT A NAME"}, {Name: "msg", Summary: "s", Example: "e", Rest: consolev1.Rest_REST_TEXT}, {Name: "msg", Summary: "twice", Example: "e"},
	}}, nil
}

func (s *strange) Exec(_ context.Context, r *consolev1.ExecRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[consolev1.ExecResponse], error) {
	return &answer{line: r.GetLine(), peer: s}, nil
}

type answer struct {
	grpc.ServerStreamingClient[consolev1.ExecResponse]
	line string
	peer *strange
	n    int
}

func (a *answer) Recv() (*consolev1.ExecResponse, error) {
	if a.n++; a.n <= a.peer.times {
		return &consolev1.ExecResponse{Part: &consolev1.ExecResponse_Output{Output: a.peer.output}}, nil
	}
	if a.n == a.peer.times+1 {
		return &consolev1.ExecResponse{Part: &consolev1.ExecResponse_Output{Output: "ran " + a.line + "\n"}}, nil
	}
	return &consolev1.ExecResponse{Part: &consolev1.ExecResponse_End{End: &consolev1.ExecEnd{}}}, nil
}

// What a command of the peer takes as text is never given to a shell here, however long the peer takes to tell which commands do.
func TestTextForASlowPeerIsNoPipe(t *testing.T) {
	t.Parallel()
	for name, peer := range map[string]*strange{"quick": {}, "slow": {delay: 2 * time.Second}, "silent": {refuse: true}, "hanging": {delay: time.Hour}} {
		file := filepath.Join(t.TempDir(), "owned")
		synctest.Test(t, func(t *testing.T) {
			s := newTestSession(t, NewRemote(peer))
			var out bytes.Buffer
			o := s.Execute(t.Context(), "msg do not run | touch "+file, &out)
			if understood := name == "quick" || name == "slow"; understood != (o.Err == nil) ||
				understood && out.String() != "ran msg do not run | touch "+file+"\n" {
				t.Errorf("%s: %v, %q", name, o.Err, out.String())
			}
			if o := s.Execute(t.Context(), "set y a=b", &out); name == "hanging" && o.Err != nil {
				t.Errorf("%s: a line for this side waits for the peer: %v", name, o.Err)
			}
		})
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: the text was given to the shell", name)
		}
	}
}

// A peer can neither fill the memory of a console nor write control characters into its pipes.
func TestHostilePeerIsBounded(t *testing.T) {
	t.Parallel()
	s := newTestSession(t, NewRemote(&strange{output: strings.Repeat("x", 1<<20), times: 1000}))
	var out bytes.Buffer
	if o := s.Execute(context.Background(), "msg", &out); !errors.Is(o.Err, errTalkative) || out.Len() > maxReceived+1<<20 {
		t.Errorf("%v, %d bytes", o.Err, out.Len())
	}
	s = newTestSession(t, NewRemote(&strange{output: "\x1b]0;owned\a", times: 1}))
	out.Reset()
	if o := s.Execute(context.Background(), "nosuch | cat", &out); o.Err != nil || strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("%v, %q", o.Err, out.String())
	}
}

// Commands may write from several goroutines, wherever it goes.
func TestCommandsMayWriteFromGoroutines(t *testing.T) {
	t.Parallel()
	table, err := command.New(app.Spec{Name: "many", Summary: "s", Example: "many", Run: func(_ context.Context, env *app.Env, _ app.Args) (any, error) {
		var writers sync.WaitGroup
		for range 4 {
			writers.Go(func() {
				for range 500 {
					_, _ = fmt.Fprintln(env.Out, "line")
				}
			})
		}
		writers.Wait()
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := newTestSession(t, NewLocal(&command.Executor{Table: table}, command.Live{}))
	var out bytes.Buffer
	if o := s.Execute(context.Background(), "many | wc -l", &out); o.Err != nil || strings.TrimSpace(out.String()) != "2000" {
		t.Errorf("%v, %q", o.Err, out.String())
	}
}

// events on ends with its context although the peer does not answer, and Close waits for nothing.
func TestEventsOfAPeerThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, exec, _ := newTestBackend(t)
		s := NewSession(SessionConfig{Engine: NewLocal(exec, testLive()), Output: NewOutput(io.Discard, io.Discard),
			Events: func(ctx context.Context, _ []string) (EventStream, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if o := s.Execute(ctx, "events on", io.Discard); o.Err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", o.Err, time.Since(start))
		}
		s.Close()
	})
}

// Standard output is for results alone when these are for machines.
func TestResultsAlone(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	var out, errs bytes.Buffer
	o := NewOutput(&out, &errs)
	s := NewSession(SessionConfig{Engine: NewLocal(exec, testLive()), Output: o})
	defer s.Close()
	script := "set output json\nwatch -c 1 part\nwatch -c 1 fail\nmember list | cat\nwatch -c 1 time member list\nmember list | echo note >&2"
	o.Println("before")
	if err := s.RunScript(context.Background(), "s", strings.NewReader(script), &out); err != nil {
		t.Fatal(err)
	}
	o.Println("a message")
	table := "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n"
	if want := table + table; out.String() != want {
		t.Errorf("standard output %q, want %q", out.String(), want)
	}
	for _, note := range []string{"part of a line", "error: it failed", "took ", "note", "a message"} {
		if !strings.Contains(errs.String(), note) {
			t.Errorf("standard error has no %q: %q", note, errs.String())
		}
	}
}
