package netns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/network"
)

func TestAbandoned(t *testing.T) {
	t.Parallel()
	start := func(pid int) (uint64, error) {
		switch pid {
		case 12:
			return 1000, nil
		case 13:
			return 0, fs.ErrPermission
		}
		return 0, fs.ErrNotExist
	}
	names := []string{
		"peerlab-12-rs-0123abcd", "peerlab-12-rs-0123abcd-alice", // of process 12, which lives
		"peerlab-12-rr-0123abcd-alice", // of another that had its number
		"peerlab-14-rs-0123abcd", "peerlab-14-rs-0123abcd-a.b-c_d",
		"peerlab-13-rs-0123abcd", // not known
		"peerlab-14-rs-0123abc", "peerlab-14-rs-0123abcdalice", "mypeerlab-14-rs-0123abcd", "peerlab-14", "peerlab", "",
	}
	var got []string
	for _, ns := range names {
		if abandoned(ns, start) {
			got = append(got, ns)
		}
	}
	want := []string{"peerlab-12-rr-0123abcd-alice", "peerlab-14-rs-0123abcd", "peerlab-14-rs-0123abcd-a.b-c_d"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// hold is a process that has a lab with a peer in it, tells their names, and waits to be killed.
func hold() error {
	l, err := New(Config{Peers: []string{"alice"}})
	if err != nil {
		return err
	}
	if err := l.Start(context.Background()); err != nil {
		return err
	}
	cmd, err := l.Command("alice", exec.Command("sleep", "60"))
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Println(l.hub, cmd.Process.Pid)
	return cmd.Wait()
}

// TestKilledRun kills a process with a lab: its peers end with it, and the next run removes the rest.
func TestKilledRun(t *testing.T) {
	needLab(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), proberMode+"=hold")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	defer kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var hub string
	var pid int
	if _, err := fmt.Sscan(line, &hub, &pid); err != nil {
		t.Fatal(err)
	}
	names := []string{hub, hub + "-alice"}
	if _, err := Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ns := range names {
		if _, err := os.Stat(filepath.Join(namesDir, ns)); err != nil {
			t.Errorf("while the process lives: %v", err)
		}
	}
	kill()
	eventually(t, func() error {
		if _, err := startOf(pid); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the peer lives on: %w", err)
		}
		return nil
	})
	startLab(t, "bob")
	for _, ns := range names {
		if _, err := os.Stat(filepath.Join(namesDir, ns)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after the next start: %s: %v", ns, err)
		}
	}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	eventuallyFor(t, 10*time.Second, check)
}

func eventuallyFor(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// TestStartThatFails breaks the building in the middle, and finds nothing left.
func TestStartThatFails(t *testing.T) {
	t.Parallel()
	needLab(t)
	l, err := New(Config{Peers: []string{"alice", "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	if l.hub, err = newHubName(); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), "", "ip", "netns", "add", l.hub+"-bob"); err != nil { // in its way
		t.Fatal(err)
	}
	if err := l.build(t.Context()); err == nil || !strings.Contains(err.Error(), "netns add "+l.hub+"-bob") {
		t.Errorf("build: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(namesDir, l.hub+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestBadConfigs(t *testing.T) {
	t.Parallel()
	many := make([]string, MaxPeers+1)
	for i := range many {
		many[i] = fmt.Sprintf("p%d", i)
	}
	for want, c := range map[string]Config{
		"cannot be the name":         {Peers: []string{"alice", "../x"}},
		"each name once":             {Peers: []string{"alice", "alice"}},
		"too many":                   {Peers: many},
		"no room for 4 IPv4":         {Peers: []string{"a", "b"}, Subnet: netip.MustParsePrefix("10.0.0.0/30")},
		"no room for 3 IPv4":         {Peers: []string{"a"}, Subnet: netip.MustParsePrefix("fd00::/64")},
		"10.0.0.9/32 has no room":    {Subnet: netip.MustParsePrefix("10.0.0.9/32")},
		"\"\" cannot be the name of": {Peers: []string{""}},
		"\"bootstrap\" cannot be":    {Peers: []string{"bootstrap"}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", c, err, want)
		}
	}
	l, err := New(Config{Peers: []string{"a"}, Subnet: netip.MustParsePrefix("10.0.0.0/29")})
	if err != nil {
		t.Fatal(err)
	}
	if l.HubAddr().String() != "10.0.0.1" || l.Addr("a").String() != "10.0.0.3" || l.Addr("b").IsValid() || l.Namespace("b") != "" {
		t.Errorf("hub %s, a %s, b %s", l.HubAddr(), l.Addr("a"), l.Addr("b"))
	}
	if _, err := l.Command("a", exec.Command("true")); err == nil {
		t.Error("a command in a lab that was not started")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestManyPeers builds a lab of 100 peers, and cuts it in two.
func TestManyPeers(t *testing.T) {
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("p%d", i+1)
	}
	began := time.Now()
	l := startLab(t, names...)
	t.Logf("built in %s", time.Since(began))
	cut := network.Rule{Kind: network.Partition, Groups: [][]string{names[:50], names[50:]}}
	began = time.Now()
	if err := l.Set(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	t.Logf("cut in %s", time.Since(began))
	near, far := startEcho(t, l, "p50", RPCPort), startEcho(t, l, "p100", RPCPort)
	if got := comesBack(t, l, "p1", near); got != 40 {
		t.Errorf("%d of 40 came back from the same side", got)
	}
	if got := comesBack(t, l, "p1", far); got != 0 {
		t.Errorf("%d of 40 came back from the other side", got)
	}
	began = time.Now()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %s", time.Since(began))
}

// TestClosedNetwork opens a socket in a lab that is no more.
func TestClosedNetwork(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := l.HubNetwork().Listen(t.Context(), "", "127.0.0.1:0")
	if err == nil {
		_ = ln.Close()
		t.Error("a listener in a namespace that is gone")
	}
}
