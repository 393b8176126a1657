package testcoord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// TestFlood checks that a peer which floods is told, and costs no more than it may, and that the run goes on.
func TestFlood(t *testing.T) {
	t.Parallel()
	const keep, flood = 100, 5000
	l, r, err := run(t, `peers alice bob
all init
alice noop
lab sleep 5s
alice echo still here
expect alice output = "still here"
expect all members alive = 2
expect alice event message x 5000
invariant no-duplicates
`, Options{KeepEvents: keep, KeepGoing: true}, func(l *lab, _ context.CancelFunc) {
		time.Sleep(time.Second)
		bob := l.runner.get("bob")
		for i := range flood {
			bob.group.message(bob.fakePeer, fmt.Sprint(i)) // two events at alice
			if i%500 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 ok", "5 ok", "6 ok", "7 ok", "8 FAIL", "9 FAIL")
	alice := l.c.peers["alice"]
	beyond := r.Floods[0].Beyond
	if d := cmp.Diff([]FloodRecord{{Peer: "alice", Kept: keep, Beyond: beyond}}, r.Floods); d != "" || err != nil || alice.missed != beyond || len(alice.log) != keep || beyond < 2*flood-keep {
		t.Errorf("%s %v, %d lost", d, err, alice.missed)
	}
	if n := strings.Count(l.out.String(), "alice floods: its first 100 events are kept"); n != 1 {
		t.Errorf("told %d times:\n%s", n, l.out.String())
	}
	wantOutput(t, l, "events of alice were lost on the way, so this cannot be judged", "it cannot be judged", r.Floods[0].String())
}

// TestFloodOfBytes checks that few events that are large are bounded, too, and that what is kept has no gaps.
func TestFloodOfBytes(t *testing.T) {
	t.Parallel()
	c := New(&Suite{Peers: []string{"alice"}}, Options{})
	p := c.peers["alice"]
	large := shown("messages", strings.Repeat("x", keepBytes/4))
	kept := 0
	for _, e := range []*eventv1.Event{large, large, large, large, joined("bob")} {
		if c.keep(p, e) {
			kept++
		}
	}
	if kept != 3 || p.beyond != 2 || p.missed != 2 {
		t.Errorf("%d kept, %+v", kept, p)
	}
}
