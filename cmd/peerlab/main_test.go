package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"peerlab": main, "troubled": troubled})
}

// TestScripts runs testdata/script/*.txt over the real binary. Besides the commands of testscript
// they have:
//
//	node NAME ARGS…     start "peerlab ARGS…" and wait until it prints an address, which becomes $NAME;
//	                    a URL in the same line becomes $NAME_URL
//	endnode NAME CODE   send SIGTERM to it, and expect this exit code
//	killnode NAME       send SIGKILL to it
//	waitnode NAME CODE  wait for it to end by itself, and expect this exit code
//	exits CODE PROGRAM  run a program, and expect this exit code
//	prints NAME TEXT    wait until the node has printed that
//	finds NAME VAR RE   wait until the node has printed something that matches, whose first group becomes $VAR
//	until REGEXP PROG…  run a program again and again, until its output matches
//	shows REGEXP URL    GET a URL again and again until the body matches, and have it as output
//	follow NAME URL     GET a URL whose answer does not end; prints and finds see it as they see a node
//	hold ADDR…          listen where a node did, so that nobody else does, and hang up on whoever comes
//	etcd start|kill     a real etcd at $ETCD; see etcd
//	firestore           start a server of the Firestore protocol, which the nodes use from then on
//	fetch CODE URL      GET a URL, expect this HTTP status, and have the body as output
//	nopeers ADDR        wait until no peer of the coordinator at that address is left
//	grpcurl ARGS…       run the grpcurl that is pinned in tools/go.mod
//	fakefunctions …     a Cloud Functions API; see fakeFunctions
func TestScripts(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	grpcurl := sync.OnceValues(func() (string, error) { return buildGrpcurl(tools) })
	server := sync.OnceValues(func() (string, error) { return buildEtcd(tools) })
	simulated := sync.OnceValues(func() (string, error) { return buildGuest(t.Context(), tools) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition:           condition,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("REPO", repository())
			e.Values[nodesKey{}] = nodes{}
			e.Values[functionsKey{}] = &functionsAPI{}
			e.Values[etcdKey{}] = &etcdServer{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node":          startNode,
			"endnode":       func(ts *testscript.TestScript, _ bool, args []string) { endNode(ts, args, syscall.SIGTERM) },
			"interruptnode": func(ts *testscript.TestScript, _ bool, args []string) { endNode(ts, args, os.Interrupt) },
			"waitnode":      func(ts *testscript.TestScript, _ bool, args []string) { endNode(ts, args, nil) },
			"killnode": func(ts *testscript.TestScript, _ bool, args []string) {
				endNode(ts, append(args, "-1"), syscall.SIGKILL)
			},
			"exits":         exits,
			"fakefunctions": fakeFunctions,
			"nopeers":       noPeers,
			"prints":        prints,
			"finds":         finds,
			"until":         until,
			"shows":         shows,
			"guest": func(ts *testscript.TestScript, _ bool, _ []string) {
				path, err := simulated()
				ts.Check(err)
				ts.Setenv("GUEST", path)
				ts.Setenv("XDG_CACHE_HOME", tools) // what is compiled of it is there for all scripts
			},
			"fetch":  fetch,
			"follow": followURL,
			"hold":   hold,
			"etcd":   etcd(t, server),
			"firestore": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Setenv(function.EnvEmulator, fakefirestore.Start(t).Addr())
			},
			"grpcurl": func(ts *testscript.TestScript, neg bool, args []string) {
				path, err := grpcurl()
				ts.Check(err)
				err = ts.Exec(path, args...)
				if neg != (err != nil) {
					ts.Fatalf("grpcurl %v: unexpected outcome: %v", args, err)
				}
			},
		},
	})
}

// condition knows one beside those of testscript: "race" holds where this program, which the scripts run, has the race detector.
func condition(name string) (bool, error) {
	if name != "race" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}), nil
}

func repository() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// buildGrpcurl builds the pinned tool; the build cache makes that quick.
func buildGrpcurl(dir string) (string, error) {
	path := filepath.Join(dir, "grpcurl")
	cmd := exec.Command("go", "build", "-modfile=tools/go.mod", "-o", path, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	cmd.Dir = repository()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build grpcurl: %w\n%s", err, out)
	}
	return path, nil
}

type nodesKey struct{}

type nodes map[string]*background

// background is a process that a script started.
type background struct {
	cmd    *exec.Cmd
	output lockedBuffer
	done   chan struct{} // closed when it has ended
}

var (
	address = regexp.MustCompile(`\bon (\S+:\d+)`)
	url     = regexp.MustCompile(`\bhttps?://\S+:\d+`)
)

func startNode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: node NAME ARGS…")
	}
	name := args[0]
	b := &background{cmd: exec.Command("peerlab", args[1:]...), done: make(chan struct{})}
	path, err := exec.LookPath("peerlab")
	ts.Check(err)
	b.cmd.Path = path
	b.cmd.Dir = ts.MkAbs(".")
	b.cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"), "HOME="+ts.Getenv("HOME"),
		function.EnvEmulator+"="+ts.Getenv(function.EnvEmulator))
	stdout, err := b.cmd.StdoutPipe()
	ts.Check(err)
	b.cmd.Stderr = &b.output
	ts.Check(b.cmd.Start())
	addr := make(chan [2]string, 1)
	go func() {
		defer close(b.done)
		lines := bufio.NewScanner(io.TeeReader(stdout, &b.output))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case addr <- [2]string{m[1], url.FindString(lines.Text())}:
				default:
				}
			}
		}
		_ = b.cmd.Wait() // the state is read from ProcessState
	}()
	ts.Value(nodesKey{}).(nodes)[name] = b
	ts.Defer(func() {
		_ = b.cmd.Process.Kill() // it may have ended
		<-b.done
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case a := <-addr:
		ts.Setenv(name, a[0])
		ts.Setenv(name+"_URL", a[1])
	case <-b.done:
		ts.Fatalf("%s ended with %v before it told an address:\n%s", name, b.cmd.ProcessState, b.output.String())
	case <-ctx.Done():
		ts.Fatalf("%s told no address:\n%s", name, b.output.String())
	}
}

// endNode waits for a node after a signal (nil for none), prints its output for stdout matches, and
// compares the exit code.
func endNode(ts *testscript.TestScript, args []string, signal os.Signal) {
	if len(args) != 2 {
		ts.Fatalf("a node's name and an exit code are needed")
	}
	b := ts.Value(nodesKey{}).(nodes)[args[0]]
	if b == nil {
		ts.Fatalf("no node %q", args[0])
	}
	if signal != nil {
		if err := b.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			ts.Fatalf("signal %s: %v", args[0], err)
		}
	}
	select {
	case <-b.done:
	case <-time.After(time.Minute):
		ts.Fatalf("%s does not end:\n%s", args[0], b.output.String())
	}
	_, err := ts.Stdout().Write([]byte(b.output.String()))
	ts.Check(err)
	if code := b.cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[1] {
		ts.Fatalf("%s ended with %d, want %s:\n%s", args[0], code, args[1], b.output.String())
	}
}

// lockedBuffer is a bytes.Buffer that two writers share.
type lockedBuffer struct {
	mu  sync.Mutex
	buf []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}

// exits runs a program and expects an exit code. Its output is there for stdout and stderr matches.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var e *exec.ExitError
	if errors.As(err, &e) {
		code = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// noPeers waits until no process of this machine has the coordinator's address among its arguments.
func noPeers(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: nopeers ADDR")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 3000 { // half a minute
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil || len(lines) == 0 {
			ts.Fatalf("no list of processes in /proc: %v", err)
		}
		left := ""
		for _, path := range lines {
			b, err := os.ReadFile(path)
			if err == nil && bytes.Contains(b, []byte("--coordinator\x00"+args[0]+"\x00")) {
				left = path
			}
		}
		if left == "" {
			return
		}
		<-tick.C
	}
	ts.Fatalf("a peer of %s is left", args[0])
}

// prints waits until a node has printed a text.
func prints(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: prints NAME TEXT")
	}
	b := ts.Value(nodesKey{}).(nodes)[args[0]]
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 3000 { // half a minute
		if strings.Contains(b.output.String(), args[1]) {
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s has not printed %q:\n%s", args[0], args[1], b.output.String())
}
