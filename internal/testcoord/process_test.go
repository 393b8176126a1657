//go:build unix

package testcoord

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// The environment of a test binary that is to be a peer.
const (
	peerMode  = "PEERLAB_TEST_PEER"  // well, mute, early, stubborn or lingers
	peerName  = "PEERLAB_TEST_NAME"  // its name
	peerCoord = "PEERLAB_TEST_COORD" // address of the coordinator
)

// minimalPeer is the smallest peer that a coordinator can run: no network but its stream.
func minimalPeer() int {
	name := os.Getenv(peerName)
	fmt.Fprintln(os.Stderr, name, "starts")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch os.Getenv(peerMode) {
	case "early":
		fmt.Fprintln(os.Stderr, "no\x1b[31m such thing")
		return 3
	case "mute":
		<-ctx.Done()
		return 0
	}
	conn, err := grpc.NewClient(os.Getenv(peerCoord), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 3
	}
	defer conn.Close()
	if os.Getenv(peerMode) == "lingers" {
		time.AfterFunc(time.Second, func() { _ = conn.Close() })
	}
	log := event.New(name, 100)
	p := &fakePeer{name: name, log: log, group: &fakeGroup{peers: map[string]*fakePeer{}}}
	_, err = Attach(ctx, testcoordv1.NewCoordinatorServiceClient(conn), &testcoordv1.Hello{Name: name, Pid: int64(os.Getpid())},
		&command.Executor{Table: fakeTable(p)}, log)
	if mode := os.Getenv(peerMode); mode == "stubborn" || mode == "lingers" {
		select {} // neither the end of the run nor SIGTERM impresses it
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// processLab is a coordinator on loopback, with peers that are processes.
type processLab struct {
	c    *Coordinator
	out  bytes.Buffer
	see  func(line string) // if not nil, is told each line that is written
	mu   sync.Mutex
	cmds []*exec.Cmd
}

func (l *processLab) Write(b []byte) (int, error) {
	if l.see != nil {
		l.see(string(b))
	}
	return l.out.Write(b)
}

// newProcessLab makes a lab; modes are those of peers that are not "well", by name.
func newProcessLab(t *testing.T, src string, opt Options, modes map[string]string) *processLab {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	suite, err := Parse("test.lab", []byte(src), fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &processLab{}
	opt.Out = l
	opt.Runner = &ProcessRunner{Logs: t.TempDir(), Command: func(name string) (*exec.Cmd, error) {
		cmd := exec.Command(exe)
		mode := modes[name]
		if mode == "" {
			mode = "well"
		}
		cmd.Env = append(os.Environ(), peerMode+"="+mode, peerName+"="+name, peerCoord+"="+listener.Addr().String())
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cmds = append(l.cmds, cmd)
		return cmd, nil
	}}
	l.c = New(suite, opt)
	server := grpc.NewServer()
	testcoordv1.RegisterCoordinatorServiceServer(server, l.c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		_ = <-served // the server was stopped
		for _, cmd := range l.cmds {
			if err := syscall.Kill(-cmd.Process.Pid, 0); err != syscall.ESRCH {
				t.Errorf("process group %d is left behind: %v", cmd.Process.Pid, err)
			}
		}
		if t.Failed() {
			t.Log(l.out.String())
		}
	})
	return l
}

func (l *processLab) want(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(l.out.String(), part) {
			t.Errorf("no %q", part)
		}
	}
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, `peers alice bob
all init
expect all members alive = 1
alice echo hello
expect alice output = hello
lab restart alice
alice init
lab kill bob
bob noop
`, Options{}, nil)
	r, err := l.c.Run(context.Background())
	if err != nil || r.Passed != 7 || r.Failed != 1 || len(r.Problems) != 0 {
		t.Errorf("%v %+v", err, r)
	}
	l.want(t, "bob was killed by the suite")
	log, err := os.ReadFile(filepath.Join(l.c.opt.Runner.(*ProcessRunner).Logs, "alice.log"))
	if err != nil || strings.Count(string(log), "alice starts") != 2 {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestProcessCrashes(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, "peers alice bob\nall crash\n", Options{}, nil)
	r, err := l.c.Run(context.Background())
	if err != nil || r.Failed != 1 || len(r.Problems) != 2 {
		t.Errorf("%v %+v", err, r)
	}
	l.want(t, "FAIL alice died: exit status 7\n     | alice starts\n", "FAIL bob died: exit status 7")
}

func TestProcessPanics(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, "peers alice\nalice panic\nalice sleep 20s\n", Options{}, nil)
	r, err := l.c.Run(context.Background())
	if err != nil || r.OK() || len(r.Problems) != 1 || len(r.Tails) != 1 {
		t.Fatalf("%v %+v", err, r)
	}
	l.want(t, "FAIL alice died: exit status 2\n     | alice starts\n     | panic: boom\n", " more lines\n")
}

func TestProcessEndsBeforeItAttaches(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, "peers alice bob\nall noop\n", Options{}, map[string]string{"bob": "early", "alice": "mute"})
	r, err := l.c.Run(context.Background())
	if err == nil || r.Skipped != 1 || len(r.Problems) != 1 || r.Duration > 20*time.Second {
		t.Errorf("%v %+v", err, r)
	}
	l.want(t, "FAIL bob ended before it attached: exit status 3\n     | bob starts\n     | no[31m such thing\n")
}

// TestProcessLosesItsStream checks that a peer that is cut off, but lives on, is lost and then ended.
func TestProcessLosesItsStream(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, "peers alice\nalice sleep 25s\n", Options{}, map[string]string{"alice": "lingers"})
	r, err := l.c.Run(context.Background())
	if err != nil || r.Failed != 1 || len(r.Problems) != 1 || r.Duration > 20*time.Second {
		t.Errorf("%v %+v", err, r)
	}
	l.want(t, "FAIL alice was lost: its stream to the coordinator ended\n     | alice starts")
}

func TestProcessCannotStart(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, "alice noop\n", Options{}, nil)
	l.c.opt.Runner = &ProcessRunner{Command: func(string) (*exec.Cmd, error) { return exec.Command("/nonexistent/peerlab"), nil }}
	r, err := l.c.Run(context.Background())
	if err == nil || r.OK() {
		t.Errorf("%v %+v", err, r)
	}
	l.want(t, "FAIL start alice: fork/exec /nonexistent/peerlab: no such file or directory")
}

// TestInterruptLeavesNoProcess ends a run in the middle, with a peer that does not want to go.
func TestInterruptLeavesNoProcess(t *testing.T) {
	t.Parallel()
	l := newProcessLab(t, "peers alice bob\nall init\nall sleep 1m\n", Options{EndTimeout: 200 * time.Millisecond},
		map[string]string{"bob": "stubborn"})
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	l.see = func(line string) {
		if strings.Contains(line, "all init") {
			cancel(errors.New("signal: interrupt"))
		}
	}
	r, err := l.c.Run(ctx)
	if err == nil || err.Error() != "signal: interrupt" || !r.Interrupted {
		t.Errorf("%v %+v", err, r)
	}
	l.want(t, "FAIL bob did not end within 200ms, and was terminated")
}

func TestTailIsBounded(t *testing.T) {
	t.Parallel()
	p := &process{}
	for i := range 100_000 {
		_, _ = p.Write([]byte("line " + strconv.Itoa(i) + "\n"))
	}
	if got := p.Tail(2); len(got) != 2 || got[1] != "line 99999" || len(p.tail) > 2*keepTail {
		t.Errorf("%q, %d bytes kept", got, len(p.tail))
	}
}
