package bootstrap_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// world is a roster that random rules are applied to, as time goes on.
type world struct {
	r   *bootstrapv1.Roster
	now float64 // seconds
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, properties)
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("join join refill renew expire"))
	f.Add(make([]byte, 4096))
	f.Fuzz(rapid.MakeFuzz(properties))
}

func properties(t *rapid.T) {
	w := &world{r: &bootstrapv1.Roster{Group: "g"}, now: 10}
	t.Repeat(map[string]func(*rapid.T){
		"join":   w.join,
		"refill": w.refill,
		"renew":  w.renew,
		"leave":  w.leave,
		"config": w.config,
		"reset": func(t *rapid.T) {
			w.apply(t, bootstrap.Reset)
			if len(w.r.GetPeers()) != 0 {
				t.Fatalf("%v after a reset", names(w.r))
			}
		},
		"time": func(t *rapid.T) { w.now += rapid.Float64Range(0, 40).Draw(t, "seconds") },
		"expire": func(t *rapid.T) {
			w.apply(t, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Expire(r, at(w.now)) })
			w.noneExpired(t)
		},
	})
}

// apply applies a rule, twice: all rules are idempotent.
func (w *world) apply(t *rapid.T, rule func(*bootstrapv1.Roster) *bootstrapv1.Roster) (before, after *bootstrapv1.Roster) {
	before = w.r
	frozen := proto.CloneOf(before)
	after = rule(before)
	if err := invariants(before, frozen, after); err != nil {
		t.Fatal(err)
	}
	if again := rule(after); again != after {
		t.Fatalf("the same again changed\n%v\nto\n%v", after, again)
	}
	w.r = after
	return before, after
}

func (w *world) noneExpired(t *rapid.T) {
	for _, p := range w.r.GetPeers() {
		if !p.GetExpiresAt().AsTime().After(at(w.now)) {
			t.Fatalf("%s is held after its lease has ended", p.GetName())
		}
	}
}

// peer draws one of a few ids, names (and so addresses) and times, so that they meet.
func (w *world) peer(t *rapid.T) *bootstrapv1.Peer {
	id := rapid.IntRange(1, 8).Draw(t, "id")
	name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "name")
	return testPeer(id, name, float64(rapid.IntRange(0, int(w.now)+5).Draw(t, "joined")))
}

// find returns the entry of an id and of an address among those that live now.
func (w *world) find(p *bootstrapv1.Peer) (live []*bootstrapv1.Peer, byID, byAddr *bootstrapv1.Peer) {
	for _, q := range w.r.GetPeers() {
		if !q.GetExpiresAt().AsTime().After(at(w.now)) {
			continue
		}
		live = append(live, q)
		if q.GetId() == p.GetId() {
			byID = q
		}
		if q.GetHost() == p.GetHost() {
			byAddr = q
		}
	}
	return live, byID, byAddr
}

// older says whether p, with a joined_at in the future taken as now, is before q.
func (w *world) older(p, q *bootstrapv1.Peer) bool {
	p = proto.CloneOf(p)
	if now := at(w.now); p.GetJoinedAt().AsTime().After(now) {
		p.JoinedAt.Seconds, p.JoinedAt.Nanos = now.Unix(), int32(now.Nanosecond())
	}
	return seniority(p, q) < 0
}

func (w *world) places() int {
	if c := w.r.GetConfig(); c != nil {
		return int(c.GetMaxPeers())
	}
	return int(bootstrap.DefaultConfig().GetMaxPeers())
}

func (w *world) join(t *rapid.T) {
	p := w.peer(t)
	live, byID, byAddr := w.find(p)
	want := byID != nil || byAddr != nil && !w.older(p, byAddr) || byAddr == nil && len(live) < w.places()
	_, after := w.apply(t, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Join(r, p, at(w.now)) })
	if got := bootstrap.Held(after, p.GetId()); got != want {
		t.Fatalf("joined: %v, want %v; now %v", got, want, names(after))
	}
	for _, q := range live {
		replaced := byID == nil && byAddr == q && want
		if bootstrap.Held(after, q.GetId()) == replaced {
			t.Fatalf("%s replaced: %v, want %v", q.GetName(), !replaced, replaced)
		}
	}
	w.noneExpired(t)
}

func (w *world) refill(t *rapid.T) {
	p := w.peer(t)
	live, byID, byAddr := w.find(p)
	full := len(live) >= w.places()
	var gone *bootstrapv1.Peer // whom the candidate replaces
	held := byID != nil
	switch {
	case held:
	case byAddr != nil:
		if held = !w.older(p, byAddr); held {
			gone = byAddr
		}
	case !full:
		held = true
	default:
		newest := live[len(live)-1]
		if held = w.older(p, newest); held {
			gone = newest
		}
	}
	_, after := w.apply(t, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Refill(r, p, at(w.now)) })
	if got := bootstrap.Held(after, p.GetId()); got != held {
		t.Fatalf("refilled: %v, want %v; now %v", got, held, names(after))
	}
	for _, q := range live {
		if bootstrap.Held(after, q.GetId()) == (q == gone) {
			t.Fatalf("%s replaced: %v", q.GetName(), q != gone)
		}
	}
	w.noneExpired(t)
}

func (w *world) renew(t *rapid.T) {
	p := w.peer(t)
	_, byID, _ := w.find(p)
	_, after := w.apply(t, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Renew(r, p.GetId(), at(w.now)) })
	if got := bootstrap.Held(after, p.GetId()); got != (byID != nil) {
		t.Fatalf("held after a renewal: %v, before: %v", got, byID != nil)
	}
	for _, q := range after.GetPeers() {
		lease := bootstrap.DefaultConfig().GetLease().AsDuration()
		if c := after.GetConfig(); c != nil {
			lease = c.GetLease().AsDuration()
		}
		if q.GetId() == p.GetId() && !q.GetExpiresAt().AsTime().Equal(at(w.now).Add(lease)) {
			t.Fatalf("renewed until %v", q.GetExpiresAt().AsTime())
		}
	}
}

func (w *world) leave(t *rapid.T) {
	p := w.peer(t)
	_, after := w.apply(t, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Leave(r, p.GetId(), at(w.now)) })
	if bootstrap.Held(after, p.GetId()) {
		t.Fatal("held after it left")
	}
}

func (w *world) config(t *rapid.T) {
	set := &bootstrapv1.Config{MaxPeers: rapid.Uint32Range(0, 6).Draw(t, "places")}
	if rapid.Bool().Draw(t, "lease") {
		set.Lease = durationpb.New(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
	}
	live, _, _ := w.find(&bootstrapv1.Peer{})
	_, after := w.apply(t, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.UpdateConfig(r, set, at(w.now)) })
	for i, q := range live {
		if bootstrap.Held(after, q.GetId()) != (i < w.places()) {
			t.Fatalf("place %d of %d: held %v", i, w.places(), i >= w.places())
		}
	}
}
