package bootstrap

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// The rules below never change the roster that they are given. They return that same
// pointer when nothing changes, else a new roster with the next revision, which may share entries
// with the old one: a roster is read only from the moment that it exists.
// Every rule but Reset first drops the entries whose lease has ended at now.

// DefaultConfig is the configuration of a group that nobody configured.
func DefaultConfig() *bootstrapv1.Config {
	return &bootstrapv1.Config{MaxPeers: 2, MinRefillCandidates: 2, Lease: durationpb.New(30 * time.Second)}
}

// Join adds p while there is room. A known id gets a new lease, and its protocol and labels are those
// of p; it keeps its name, its address and its place. Of two entries with one address the newer stays.
// An absent joined_at, or one in the future, is now.
func Join(r *bootstrapv1.Roster, p *bootstrapv1.Peer, now time.Time) *bootstrapv1.Roster {
	return admit(r, p, now, false)
}

// Refill is Join for a candidate that is a live member already: where there is no room, the candidate
// replaces the newest entry if it is itself older.
func Refill(r *bootstrapv1.Roster, candidate *bootstrapv1.Peer, now time.Time) *bootstrapv1.Roster {
	return admit(r, candidate, now, true)
}

func admit(r *bootstrapv1.Roster, p *bootstrapv1.Peer, now time.Time, replace bool) *bootstrapv1.Roster {
	cfg, peers := configOf(r), live(r, now)
	expires := now.Add(cfg.GetLease().AsDuration())
	if i := indexID(peers, p.GetId()); i >= 0 {
		again := entry(p, peers[i].GetJoinedAt().AsTime(), expires)
		again.Name, again.Host, again.Port = peers[i].GetName(), peers[i].GetHost(), peers[i].GetPort()
		return next(r, cfg, with(peers, i, again))
	}
	joined := now
	if p.GetJoinedAt() != nil && p.GetJoinedAt().AsTime().Before(now) {
		joined = p.GetJoinedAt().AsTime()
	}
	e := entry(p, joined, expires)
	rest := peers
	if i := indexAddr(peers, e); i >= 0 {
		if order(e, peers[i]) < 0 {
			return next(r, cfg, peers)
		}
		rest = slices.Delete(slices.Clone(peers), i, i+1)
	}
	if len(rest) >= int(cfg.GetMaxPeers()) {
		last := len(rest) - 1
		if !replace || last < 0 || order(e, rest[last]) > 0 {
			return next(r, cfg, peers)
		}
		rest = rest[:last]
	}
	return next(r, cfg, insert(rest, e))
}

// Renew gives the entry of that id a new lease.
func Renew(r *bootstrapv1.Roster, id string, now time.Time) *bootstrapv1.Roster {
	cfg, peers := configOf(r), live(r, now)
	if i := indexID(peers, id); i >= 0 {
		p := peers[i]
		peers = with(peers, i, entry(p, p.GetJoinedAt().AsTime(), now.Add(cfg.GetLease().AsDuration())))
	}
	return next(r, cfg, peers)
}

// Leave removes the entry of that id, if there is one.
func Leave(r *bootstrapv1.Roster, id string, now time.Time) *bootstrapv1.Roster {
	peers := live(r, now)
	if i := indexID(peers, id); i >= 0 {
		peers = slices.Delete(slices.Clone(peers), i, i+1)
	}
	return next(r, configOf(r), peers)
}

// Reset removes all entries and keeps the configuration.
func Reset(r *bootstrapv1.Roster) *bootstrapv1.Roster {
	return next(r, configOf(r), nil)
}

// UpdateConfig takes over the fields of set that are not zero. Lowering max_peers drops the newest
// entries; a new lease holds from the next Join or Renew of an entry on.
func UpdateConfig(r *bootstrapv1.Roster, set *bootstrapv1.Config, now time.Time) *bootstrapv1.Roster {
	old := configOf(r)
	cfg := &bootstrapv1.Config{
		MaxPeers:            cmp.Or(set.GetMaxPeers(), old.GetMaxPeers()),
		MinRefillCandidates: cmp.Or(set.GetMinRefillCandidates(), old.GetMinRefillCandidates()),
		Lease:               durationpb.New(cmp.Or(set.GetLease().AsDuration(), old.GetLease().AsDuration())),
	}
	peers := live(r, now)
	return next(r, cfg, peers[:min(len(peers), int(cfg.GetMaxPeers()))])
}

// Expire drops the entries whose lease has ended at now.
func Expire(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
	return next(r, configOf(r), live(r, now))
}

// Held says whether the roster has an entry of that id.
func Held(r *bootstrapv1.Roster, id string) bool { return indexID(r.GetPeers(), id) >= 0 }

// Expiry is when the first lease of the roster ends; it is the zero time for an empty roster.
func Expiry(r *bootstrapv1.Roster) time.Time {
	var first time.Time
	for _, p := range r.GetPeers() {
		if at := p.GetExpiresAt().AsTime(); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// next is the roster that follows r, or r itself when peers and cfg are what it has.
func next(r *bootstrapv1.Roster, cfg *bootstrapv1.Config, peers []*bootstrapv1.Peer) *bootstrapv1.Roster {
	if slices.Equal(r.GetPeers(), peers) && proto.Equal(configOf(r), cfg) {
		return r
	}
	return &bootstrapv1.Roster{
		Group:    r.GetGroup(),
		Revision: r.GetRevision() + 1,
		Config:   cfg,
		Peers:    peers,
		Count:    uint32(len(peers)), //nolint:gosec // at most 1000
	}
}

func configOf(r *bootstrapv1.Roster) *bootstrapv1.Config {
	if c := r.GetConfig(); c != nil {
		return c
	}
	return DefaultConfig()
}

// live are the entries whose lease runs at now; the roster's own slice when all do.
func live(r *bootstrapv1.Roster, now time.Time) []*bootstrapv1.Peer {
	if !anyExpired(r, now) {
		return r.GetPeers()
	}
	return slices.DeleteFunc(slices.Clone(r.GetPeers()), func(p *bootstrapv1.Peer) bool { return expired(p, now) })
}

func anyExpired(r *bootstrapv1.Roster, now time.Time) bool {
	return slices.ContainsFunc(r.GetPeers(), func(p *bootstrapv1.Peer) bool { return expired(p, now) })
}

func countExpired(r *bootstrapv1.Roster, now time.Time) int {
	return len(r.GetPeers()) - len(live(r, now))
}

func expired(p *bootstrapv1.Peer, now time.Time) bool { return !p.GetExpiresAt().AsTime().After(now) }

// entry copies the fields that a roster keeps, and no unknown ones that a sender may have added.
func entry(p *bootstrapv1.Peer, joined, expires time.Time) *bootstrapv1.Peer {
	return &bootstrapv1.Peer{
		Id:        p.GetId(),
		Name:      p.GetName(),
		Host:      p.GetHost(),
		Port:      p.GetPort(),
		Protocol:  p.GetProtocol(),
		JoinedAt:  timestamppb.New(joined),
		ExpiresAt: timestamppb.New(expires),
		Labels:    maps.Clone(p.GetLabels()),
	}
}

// with is peers with p at i; peers itself when it already says the same.
func with(peers []*bootstrapv1.Peer, i int, p *bootstrapv1.Peer) []*bootstrapv1.Peer {
	if proto.Equal(peers[i], p) {
		return peers
	}
	peers = slices.Clone(peers)
	peers[i] = p
	return peers
}

// order is that of seniority: the oldest first, ties by id.
func order(a, b *bootstrapv1.Peer) int {
	return cmp.Or(
		a.GetJoinedAt().AsTime().Compare(b.GetJoinedAt().AsTime()),
		cmp.Compare(a.GetId(), b.GetId()),
	)
}

// insert returns a copy of peers with p at its place.
func insert(peers []*bootstrapv1.Peer, p *bootstrapv1.Peer) []*bootstrapv1.Peer {
	i, _ := slices.BinarySearchFunc(peers, p, order)
	out := make([]*bootstrapv1.Peer, 0, len(peers)+1)
	return append(append(append(out, peers[:i]...), p), peers[i:]...)
}

func indexID(peers []*bootstrapv1.Peer, id string) int {
	return slices.IndexFunc(peers, func(p *bootstrapv1.Peer) bool { return p.GetId() == id })
}

func indexAddr(peers []*bootstrapv1.Peer, e *bootstrapv1.Peer) int {
	return slices.IndexFunc(peers, func(p *bootstrapv1.Peer) bool {
		return p.GetHost() == e.GetHost() && p.GetPort() == e.GetPort()
	})
}
