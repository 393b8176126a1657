package netns

import (
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/network"
)

func startLab(t *testing.T, peers ...string) *Lab {
	t.Helper()
	needLab(t)
	l, err := New(Config{Peers: peers, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(namesDir)
		if err != nil {
			t.Error(err)
		}
		for _, f := range left {
			if strings.HasPrefix(f.Name(), l.hub) {
				t.Errorf("namespace %s is left", f.Name())
			}
		}
	})
	return l
}

func TestPeersReachEachOtherAndTheHub(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob")
	addr := startEcho(t, l, "bob", GossipPort)
	if got := comesBack(t, l, "alice", addr); got != 40 {
		t.Errorf("%d of 40 datagrams came back", got)
	}
	ln, err := l.HubNetwork().Listen(t.Context(), network.RPC, l.HubAddr().String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var conn net.Conn
	err = inside(l.Namespace("alice"), func() (err error) {
		conn, err = net.Dial("tcp", ln.Addr().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if from := in.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); from != l.Addr("alice") {
		t.Errorf("the hub sees %s, not alice's address", from)
	}
	out, err := l.HubNetwork().Dial(t.Context(), network.RPC, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	if _, err := io.WriteString(out, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
}

// TestTheMachineIsNotTouched compares what the machine's own namespace has before, during and after.
func TestTheMachineIsNotTouched(t *testing.T) {
	needLab(t)
	look := func() string {
		var all []string
		for _, args := range [][]string{{"-o", "link"}, {"-o", "address"}, {"route", "show", "table", "all"}, {"rule"}} {
			out, err := run(t.Context(), "", "ip", args...)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(out, "\n")
			slices.Sort(lines)
			all = append(all, lines...)
		}
		return strings.Join(all, "\n")
	}
	before := look()
	l := startLab(t, "alice", "bob")
	if during := look(); during != before {
		t.Errorf("before:\n%s\nduring:\n%s", before, during)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if after := look(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
