package bootstrap_test

import (
	"fmt"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// epoch is when the tests of the rules begin.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }

// testPeer is a peer that joined at that second. Its name decides its address, so that the
// tests read well: the same name again is a restart at the same address.
func testPeer(id int, name string, joined float64) *bootstrapv1.Peer {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	ip := h.Sum32()
	return &bootstrapv1.Peer{
		Id:       fmt.Sprintf("00000000-0000-4000-8000-%012d", id),
		Name:     name,
		Host:     fmt.Sprintf("10.%d.%d.%d", byte(ip>>16), byte(ip>>8), byte(ip)),
		Port:     7946,
		Protocol: "memberlist",
		JoinedAt: timestamppb.New(at(joined)),
	}
}

// names are those of the entries, in order.
func names(r *bootstrapv1.Roster) []string {
	out := []string{}
	for _, p := range r.GetPeers() {
		out = append(out, p.GetName())
	}
	return out
}

func TestRules(t *testing.T) {
	t.Parallel()
	type R = *bootstrapv1.Roster
	join := func(id int, name string, joined, now float64) func(R) R {
		return func(r R) R { return bootstrap.Join(r, testPeer(id, name, joined), at(now)) }
	}
	refill := func(id int, name string, joined, now float64) func(R) R {
		return func(r R) R { return bootstrap.Refill(r, testPeer(id, name, joined), at(now)) }
	}
	renew := func(id int, now float64) func(R) R {
		return func(r R) R { return bootstrap.Renew(r, testPeer(id, "", 0).GetId(), at(now)) }
	}
	leave := func(id int, now float64) func(R) R {
		return func(r R) R { return bootstrap.Leave(r, testPeer(id, "", 0).GetId(), at(now)) }
	}
	expire := func(now float64) func(R) R { return func(r R) R { return bootstrap.Expire(r, at(now)) } }
	config := func(maxPeers uint32, now float64) func(R) R {
		return func(r R) R { return bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: maxPeers}, at(now)) }
	}
	tests := []struct {
		name     string
		do       []func(R) R
		want     []string
		revision uint64
	}{
		{"nothing", nil, []string{}, 0},
		{"the oldest first", []func(R) R{join(1, "b", 2, 3), join(2, "a", 1, 3)}, []string{"a", "b"}, 2},
		{"ties by id", []func(R) R{join(2, "b", 1, 3), join(1, "a", 1, 3)}, []string{"a", "b"}, 2},
		{"full", []func(R) R{join(1, "a", 1, 3), join(2, "b", 2, 3), join(3, "c", 0, 3)}, []string{"a", "b"}, 2},
		{"joined twice at one time", []func(R) R{join(1, "a", 1, 3), join(1, "a", 1, 3)}, []string{"a"}, 1},
		{"joined again renews", []func(R) R{join(1, "a", 1, 3), join(1, "a", 1, 20), expire(45)}, []string{"a"}, 2},
		{"an id keeps its name, address and place", []func(R) R{join(1, "a", 1, 9), join(2, "b", 2, 9), join(1, "b", 5, 9)}, []string{"a", "b"}, 2},
		{"a restart at the same address replaces its older self", []func(R) R{join(1, "a", 1, 3), join(2, "b", 2, 3), join(3, "a", 5, 6)}, []string{"b", "a"}, 3},
		{"the older self comes too late", []func(R) R{join(3, "a", 5, 6), join(1, "a", 1, 7)}, []string{"a"}, 1},
		{"the future is now", []func(R) R{join(1, "a", 99, 3), join(2, "b", 4, 5)}, []string{"a", "b"}, 2},
		{"leave", []func(R) R{join(1, "a", 1, 3), leave(1, 4), leave(1, 4)}, []string{}, 2},
		{"leave of nobody", []func(R) R{leave(1, 4)}, []string{}, 0},
		{"refill with room", []func(R) R{refill(1, "a", 1, 3)}, []string{"a"}, 1},
		{"refill by an older", []func(R) R{join(1, "a", 1, 9), join(2, "b", 5, 9), refill(3, "c", 3, 9)}, []string{"a", "c"}, 3},
		{"refill by a newer", []func(R) R{join(1, "a", 1, 9), join(2, "b", 5, 9), refill(3, "c", 7, 9)}, []string{"a", "b"}, 2},
		{"refill tie by id", []func(R) R{join(1, "a", 1, 9), join(5, "b", 5, 9), refill(3, "c", 5, 9)}, []string{"a", "c"}, 3},
		{"refill of a held one renews", []func(R) R{join(1, "a", 1, 3), refill(1, "a", 1, 20), expire(45)}, []string{"a"}, 2},
		{"a lease ends", []func(R) R{join(1, "a", 1, 3), expire(32.9), expire(33)}, []string{}, 2},
		{"a renewed lease", []func(R) R{join(1, "a", 1, 3), renew(1, 20), expire(49)}, []string{"a"}, 2},
		{"renewed too late", []func(R) R{join(1, "a", 1, 3), renew(1, 33)}, []string{}, 2},
		{"an ended lease makes room", []func(R) R{join(1, "a", 1, 3), join(2, "b", 2, 20), join(3, "c", 34, 35)}, []string{"b", "c"}, 3},
		{"fewer places drop the newest", []func(R) R{join(1, "a", 1, 3), join(2, "b", 2, 3), config(1, 4)}, []string{"a"}, 3},
		{"more places", []func(R) R{config(3, 0), join(1, "a", 1, 3), join(2, "b", 2, 3), join(3, "c", 2, 3)}, []string{"a", "b", "c"}, 4},
		{"the same places", []func(R) R{config(2, 0)}, []string{}, 0},
		{"reset", []func(R) R{join(1, "a", 1, 3), bootstrap.Reset, bootstrap.Reset}, []string{}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &bootstrapv1.Roster{Group: "g"}
			for _, do := range tt.do {
				r = do(r)
			}
			if diff := cmp.Diff(tt.want, names(r)); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if r.GetRevision() != tt.revision {
				t.Errorf("revision %d, want %d", r.GetRevision(), tt.revision)
			}
		})
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	in := testPeer(1, "a", 1)
	in.Labels = map[string]string{"rack": "1"}
	in.ExpiresAt = timestamppb.New(at(1e6)) // the service decides, not the peer
	in.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01})
	r := bootstrap.Join(&bootstrapv1.Roster{Group: "g"}, in, at(2))
	in.Labels["rack"] = "2" // the roster has its own copy
	want := testPeer(1, "a", 1)
	want.Labels = map[string]string{"rack": "1"}
	want.ExpiresAt = timestamppb.New(at(32))
	if diff := cmp.Diff(want, r.GetPeers()[0], protocmp.Transform()); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	again := testPeer(1, "b", 9)
	again.Labels = map[string]string{"rack": "3"}
	r = bootstrap.Join(r, again, at(10))
	want.Labels, want.ExpiresAt = again.GetLabels(), timestamppb.New(at(40))
	if diff := cmp.Diff(want, r.GetPeers()[0], protocmp.Transform()); diff != "" {
		t.Errorf("entry of a known id (-want +got):\n%s", diff)
	}
	if e := bootstrap.Expiry(r); !e.Equal(at(40)) {
		t.Errorf("expiry %v, want %v", e, at(40))
	}
}

func TestUpdateConfigKeepsOtherFields(t *testing.T) {
	t.Parallel()
	r := bootstrap.Join(&bootstrapv1.Roster{Group: "g"}, testPeer(1, "a", 0), epoch)
	r = bootstrap.UpdateConfig(r, &bootstrapv1.Config{Lease: durationpb.New(time.Minute)}, epoch)
	want := &bootstrapv1.Config{MaxPeers: 2, MinRefillCandidates: 2, Lease: durationpb.New(time.Minute)}
	if diff := cmp.Diff(want, bootstrap.Reset(r).GetConfig(), protocmp.Transform()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if e := r.GetPeers()[0].GetExpiresAt().AsTime(); !e.Equal(at(30)) {
		t.Errorf("a new lease moved the end of a running one to %v", e)
	}
	r = bootstrap.Renew(r, r.GetPeers()[0].GetId(), at(1))
	if e := r.GetPeers()[0].GetExpiresAt().AsTime(); !e.Equal(at(61)) {
		t.Errorf("renewed until %v, want %v", e, at(61))
	}
}

// invariants are what holds for a roster after any rule.
func invariants(before, frozen, after *bootstrapv1.Roster) error {
	if !proto.Equal(before, frozen) {
		return fmt.Errorf("the rule changed its argument: %s", cmp.Diff(frozen, before, protocmp.Transform()))
	}
	if same := proto.Equal(before, after); same != (before == after) {
		return fmt.Errorf("equal to the old roster: %v, the same pointer: %v", same, before == after)
	}
	if before != after && after.GetRevision() != before.GetRevision()+1 {
		return fmt.Errorf("revision %d after %d", after.GetRevision(), before.GetRevision())
	}
	peers, places := after.GetPeers(), int(after.GetConfig().GetMaxPeers())
	if after.GetConfig() != nil && len(peers) > places {
		return fmt.Errorf("%d peers in %d places", len(peers), places)
	}
	if int(after.GetCount()) != len(peers) {
		return fmt.Errorf("count %d of %d peers", after.GetCount(), len(peers))
	}
	ids, addrs := map[string]bool{}, map[string]bool{}
	for _, p := range peers {
		if ids[p.GetId()] || addrs[p.GetHost()] {
			return fmt.Errorf("%s is held twice: %v", p.GetName(), names(after))
		}
		ids[p.GetId()], addrs[p.GetHost()] = true, true
	}
	if !slices.IsSortedFunc(peers, seniority) {
		return fmt.Errorf("not the oldest first: %v", names(after))
	}
	return nil
}

// seniority says the order of a roster in words other than those of the rules.
func seniority(a, b *bootstrapv1.Peer) int {
	ta, tb := a.GetJoinedAt().AsTime(), b.GetJoinedAt().AsTime()
	switch {
	case ta.Before(tb), ta.Equal(tb) && a.GetId() < b.GetId():
		return -1
	case a.GetId() == b.GetId():
		return 0
	}
	return 1
}
