package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
)

// dialTest serves the test table and returns a client, and what ends the server.
func dialTest(t *testing.T) (consolev1.ConsoleServiceClient, func()) {
	t.Helper()
	_, exec, _ := newTestBackend(t)
	server := grpc.NewServer()
	consolev1.RegisterConsoleServiceServer(server, NewService(exec, testLive()))
	l := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	stop := func() { server.Stop() }
	t.Cleanup(func() {
		stop()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return consolev1.NewConsoleServiceClient(conn), stop
}

func TestRemoteExecute(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	r := NewRemote(client)
	for _, tc := range []struct {
		line, out, json, err string
		usage, quit          bool
	}{
		{line: "echo one", out: "one\n", json: `"one"`},
		{line: "member list", out: "NAME\nalice\nbob\n", json: `[{"name":"alice"},{"name":"bob"}]`},
		{line: "part", out: "part of a line"},
		{line: "fail", err: "it failed"},
		{line: "crash", err: "the command panicked: crashed"},
		{line: "ehco", err: `unknown command "ehco"; did you mean "echo"?`, usage: true},
		{line: "log on file", err: "log on works only at the peer's own console"},
		{line: "huge", err: "the result as JSON is longer than 1048576 bytes", out: "*"},
		{line: "quit", quit: true},
		{line: "/exit", quit: true},
		{line: ""},
	} {
		var out bytes.Buffer
		o := newTestSession(t, r).Execute(context.Background(), tc.line, &out)
		if message(o.Err) != tc.err || o.JSON != tc.json || o.Usage() != tc.usage || o.Quit != tc.quit {
			t.Errorf("%s: %+v", tc.line, o)
		}
		if out.String() != tc.out && tc.out != "*" {
			t.Errorf("%s: printed %q", tc.line, out.String())
		}
	}
	o := newTestSession(t, r).Execute(context.Background(), "echo "+strings.Repeat("x", maxRemoteLine), io.Discard)
	if !strings.Contains(message(o.Err), "longer than") {
		t.Errorf("a line that is too long: %v", o.Err)
	}
}

func TestRemoteOutputIsBounded(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	var out bytes.Buffer
	o := newTestSession(t, NewRemote(client)).Execute(context.Background(), "flood 30000", &out) // 3 MB
	if o.Err != nil {
		t.Error(o.Err)
	}
	if out.Len() > maxRemoteOutput+200 || !strings.HasSuffix(out.String(), "… the rest of the output is not shown: it is more than 1 MiB\n") {
		t.Errorf("%d bytes, the last are %q", out.Len(), out.String()[max(0, out.Len()-100):])
	}
	if !utf8.Valid(out.Bytes()) {
		t.Error("a character was torn")
	}
}

func TestRemoteCancels(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	ctx, cancel := context.WithCancel(context.Background())
	w := newLineWriter(func(piece) { cancel() }) // when it has begun
	if o := newTestSession(t, NewRemote(client)).Execute(ctx, "wait", w); !errors.Is(o.Err, context.Canceled) {
		t.Errorf("it ended with %v", o.Err)
	}
}

func TestRemoteOfAPeerThatIsGone(t *testing.T) {
	t.Parallel()
	client, stop := dialTest(t)
	stop()
	r := NewRemote(client)
	o := newTestSession(t, r).Execute(context.Background(), "echo one", io.Discard)
	if !strings.HasPrefix(message(o.Err), "the peer is gone, or cannot be reached") || o.Usage() {
		t.Errorf("error %v", o.Err)
	}
	if offers, _ := r.Complete(context.Background(), "ec", 2); len(offers) != 0 {
		t.Errorf("offers %v", offers)
	}
	if o := newTestSession(t, r).Execute(context.Background(), "quit", io.Discard); !o.Quit {
		t.Errorf("quit does not work: %v", o.Err)
	}
}

func TestRemoteRunsFilesOfThisSide(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	path := filepath.Join(t.TempDir(), "script.txt")
	if err := os.WriteFile(path, []byte("echo one\nfail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewRemote(client)
	var out bytes.Buffer
	o := newTestSession(t, r).Execute(context.Background(), "execute "+path, &out)
	if out.String() != "one\n" || message(o.Err) != path+":2:1: it failed" {
		t.Errorf("printed %q, error %v", out.String(), o.Err)
	}
	stream, err := client.Exec(context.Background(), &consolev1.ExecRequest{Line: "execute " + path})
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil || m.GetEnd().GetError() != "execute works only at the peer's own console" {
		t.Errorf("a caller may run files of the peer: %v, %v", m, err)
	}
}

func TestRemoteComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // an answer is waited for only as long as a person who types would
		client, _ := dialTest(t)
		r := NewRemote(client)
		for _, tc := range []struct {
			line   string
			cursor int
			texts  []string
			start  int
		}{
			{"", 0, nil, 0},
			{"e", 1, []string{"echo", "events", "execute"}, 0},
			{"member info b", 13, []string{"bob"}, 12},
			{"member info ", 12, []string{`"two words"`, "--format", "alice", "bob"}, 12},
			{"member info --format lo", 23, []string{"long"}, 21},
			{"trap ", 5, nil, 5},
			{"log o", 5, nil, 4},
			{"mémber", 2, nil, 0},
		} {
			offers, start := r.Complete(context.Background(), tc.line, tc.cursor)
			var texts []string
			for _, o := range offers {
				texts = append(texts, o.Text)
			}
			if tc.line == "" {
				if len(texts) < 10 || !slices.IsSorted(texts) || !slices.Contains(texts, "history") || !slices.Contains(texts, "echo") {
					t.Errorf("offers for an empty line: %q", texts)
				}
				continue
			}
			if !slices.Equal(texts, tc.texts) || start != tc.start {
				t.Errorf("%q: offers %q from %d, want %q from %d", tc.line, texts, start, tc.texts, tc.start)
			}
		}
	})
}

func TestServiceCommands(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	a, err := client.Commands(context.Background(), &consolev1.CommandsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range a.GetCommands() {
		if c.GetName() == "log on" || c.GetName() == "execute" {
			t.Errorf("%s is offered", c.GetName())
		}
	}
	if len(a.GetCommands()) < 10 {
		t.Errorf("only %d commands", len(a.GetCommands()))
	}
	_, err = client.Complete(context.Background(), &consolev1.CompleteRequest{Line: strings.Repeat("x", maxRemoteLine+1)})
	if status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	if _, err := client.Complete(context.Background(), &consolev1.CompleteRequest{Line: "echo", Cursor: 1 << 31}); err != nil {
		t.Error(err)
	}
}

func TestStreamWriter(t *testing.T) {
	t.Parallel()
	var parts []string
	w := &streamWriter{left: 1 << 20, send: func(s string) error { parts = append(parts, s); return nil }}
	long := strings.Repeat("é", chunk)
	for _, p := range []string{"one", "\ntwo\nthr", "ee", "\xff\n", "x" + long, "\n", "\xc3"} {
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(parts, ""), "one\ntwo\nthree\ufffd\nx"+long+"\n\ufffd"; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	for _, p := range parts {
		if len(p) > chunk+utf8.UTFMax {
			t.Errorf("a part of %d bytes", len(p))
		}
	}
	if parts[0] != "one\ntwo\n" {
		t.Errorf("a line waits: %q", parts[0])
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	s := func(texts ...string) (out []app.Suggestion) {
		for _, x := range texts {
			out = append(out, app.Suggestion{Text: x})
		}
		return out
	}
	if got := merge(s("b", "c"), s("a", "b", "d")); !slices.Equal(got, s("a", "b", "c", "d")) {
		t.Errorf("%v", got)
	}
}

// Results for machines come apart from the progress of a command.
func TestRemoteFormats(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	var out, errs bytes.Buffer
	s := NewSession(SessionConfig{Engine: NewRemote(client), Output: NewOutput(&out, &errs)})
	defer s.Close()
	for _, tt := range []struct{ line, out, notes, err string }{
		{"set output json", "", "", ""},
		{"member list", "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n", "", ""},
		{"part", "", "part of a line\n", ""},
		{"set output jsonl", "", "", ""},
		{"member list", "{\"name\":\"alice\"}\n{\"name\":\"bob\"}\n", "", ""},
		{"set output table", "", "", ""},
		{"part", "part of a line", "", ""},
		{"x = member list", "", "", ""},
		{"echo $x", "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n", "", ""},
		{"member list | tail -1", "bob\n", "", ""},
		{"echo a | b", "a | b\n", "", ""},
		{"time echo a > b", "a > b\n", "took ", ""},
		{"shell echo $x", "", "", "shell is off for callers elsewhere"},
		{"log on x", "", "", "log on works only at the peer's own console"},
	} {
		out.Reset()
		errs.Reset()
		o := s.Execute(context.Background(), tt.line, &out)
		if got := out.String(); got != tt.out {
			t.Errorf("%s: %q, want %q", tt.line, got, tt.out)
		}
		notes := errs.String()
		if strings.HasPrefix(tt.line, "time") { // how long it took differs
			notes = notes[:min(len(tt.notes), len(notes))]
		}
		if notes != tt.notes || !strings.Contains(message(o.Err), tt.err) || tt.err == "" && o.Err != nil {
			t.Errorf("%s: notes %q, error %v, want %q and %q", tt.line, errs.String(), o.Err, tt.notes, tt.err)
		}
	}
	stream, err := client.Exec(context.Background(), &consolev1.ExecRequest{Line: "echo", Format: "xml"})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "table, json, jsonl, yaml") {
		t.Error(err)
	}
}

// The shell is there for callers elsewhere only where the operator turned it on.
func TestShellForCallersElsewhere(t *testing.T) {
	t.Parallel()
	for _, allow := range []bool{false, true} {
		b := NewBuiltins(nil)
		b.AllowShell = allow
		table, err := command.New(b.Specs()...)
		if err != nil {
			t.Fatal(err)
		}
		b.Bind(table)
		x := &command.Executor{Table: table}
		var out bytes.Buffer
		o := x.Execute(context.Background(), "shell echo hello", &app.Env{Out: &out, Remote: true})
		if allow != (o.Err == nil) || allow != (out.String() == "hello\n") {
			t.Errorf("allowed %v: %v, %q", allow, o.Err, out.String())
		}
	}
}
