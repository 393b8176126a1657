package apitest

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

type test struct {
	name  string
	steps []step
}

// table is what the service promises, in the order in which one would learn it.
func table() []test {
	return slices.Concat(places(), changes(), wrongPeers(), wrongFields())
}

// places are who gets one, and who loses it.
func places() []test {
	return []test{
		{"a service that is up", []step{{req: &bootstrapv1.PingRequest{}, want: "pong"}}},
		{"an unknown group is empty, and has the defaults", []step{
			{req: &bootstrapv1.ListRequest{}, want: "default@0:"},
			{req: &bootstrapv1.ListRequest{Group: "new"}, want: "new@0:"},
			{req: &bootstrapv1.GetConfigRequest{}, want: "2/2/30s"},
		}},
		{"join while there is room", []step{
			{req: &bootstrapv1.JoinRequest{Group: "g", Peer: peer(1, "ann")}, want: "g@1: ann, held"},
			{req: &bootstrapv1.JoinRequest{Group: "g", Peer: peer(2, "bob")}, want: "g@2: ann bob, held"},
			{req: &bootstrapv1.JoinRequest{Group: "g", Peer: peer(3, "cleo")}, want: "g@2: ann bob"},
			{req: &bootstrapv1.ListRequest{Group: "g"}, want: "g@2: ann bob"},
			{req: &bootstrapv1.ListRequest{Group: "other"}, want: "other@0:"},
		}},
		{"names are not policed", []step{ // the package's documentation says why
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "ann")}, want: "default@1: ann, held"},
			{req: &bootstrapv1.JoinRequest{Peer: peer(2, "ann")}, want: "default@2: ann ann, held"},
			{req: &bootstrapv1.LeaveRequest{Id: id(1)}, want: "default@3: ann"},
		}},
		{"who polls is not sent what it knows", []step{
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "ann")}, want: "default@1: ann, held"},
			{req: &bootstrapv1.ListRequest{KnownRevision: 1}, want: "unchanged"},
			{req: &bootstrapv1.ListRequest{KnownRevision: 7}, want: "default@1: ann"},
			{req: &bootstrapv1.ListRequest{KnownRevision: 1<<64 - 1}, want: "default@1: ann"},
		}},
		{"leave, and be unknown", []step{
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "ann")}, want: "default@1: ann, held"},
			{req: &bootstrapv1.LeaveRequest{Id: id(1)}, want: "default@2:"},
			{req: &bootstrapv1.LeaveRequest{Id: id(1)}, want: "default@2:"},
		}},
		{"refill takes the place of the newest", []step{
			{req: &bootstrapv1.JoinRequest{Peer: peer(2, "bob")}, want: "default@1: bob, held"},
			{req: &bootstrapv1.JoinRequest{Peer: peer(4, "dora")}, want: "default@2: bob dora, held"},
			{req: &bootstrapv1.RefillRequest{Candidate: peer(5, "ed")}, want: "default@2: bob dora"},
			{req: &bootstrapv1.RefillRequest{Candidate: peer(1, "ann")}, want: "default@3: ann bob, held"},
		}},
		{"renew", []step{
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "ann")}, want: "default@1: ann, held"},
			{req: &bootstrapv1.RenewRequest{Id: id(1)}, want: "default@2: ann, held"},
			{req: &bootstrapv1.RenewRequest{Id: id(2)}, want: "default@2: ann"},
		}},
	}
}

// changes are those of operators.
func changes() []test {
	return []test{
		{"reset keeps the configuration", []step{
			{req: &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 3}}, want: "default@1: 3/2/30s"},
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "ann")}, want: "default@2: ann, held"},
			{req: &bootstrapv1.ResetRequest{}, want: "default@3:"},
			{req: &bootstrapv1.GetConfigRequest{}, want: "3/2/30s"},
		}},
		{"configure some fields, or those of the mask", []step{
			{
				req:  &bootstrapv1.UpdateConfigRequest{Group: "g", Config: &bootstrapv1.Config{MaxPeers: 5, Lease: seconds(7)}},
				want: "g@1: 5/2/7s",
			},
			{
				req: &bootstrapv1.UpdateConfigRequest{
					Group: "g", Config: &bootstrapv1.Config{MaxPeers: 9, MinRefillCandidates: 4, Lease: seconds(9)},
					UpdateMask: mask("min_refill_candidates", "lease"),
				},
				want: "g@2: 5/4/9s",
			},
			{req: &bootstrapv1.UpdateConfigRequest{Group: "g"}, want: "g@2: 5/4/9s"},
		}},
		{"fewer places drop the newest", []step{
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "ann")}, want: "default@1: ann, held"},
			{req: &bootstrapv1.JoinRequest{Peer: peer(2, "bob")}, want: "default@2: ann bob, held"},
			{req: &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 1}}, want: "default@3: ann 1/2/30s"},
		}},
		{"names in all scripts", []step{
			{req: &bootstrapv1.JoinRequest{Peer: peer(1, "Zoë 東京 \"<&")}, want: "default@1: Zoë 東京 \"<&, held"},
		}},
	}
}

// wrongPeers are refused, and change nothing; each refusal says which field it is.
func wrongPeers() []test {
	bad := func(p *bootstrapv1.Peer, fields ...string) []step {
		under := func(prefix string) []string {
			var out []string
			for _, f := range fields {
				out = append(out, prefix+f)
			}
			return out
		}
		return []step{
			{req: &bootstrapv1.JoinRequest{Peer: p}, code: codes.InvalidArgument, fields: under("peer")},
			{req: &bootstrapv1.RefillRequest{Candidate: p}, code: codes.InvalidArgument, fields: under("candidate")},
			unchanged(),
		}
	}
	change := func(f func(*bootstrapv1.Peer)) *bootstrapv1.Peer { return with(peer(1, "ann"), f) }
	return []test{
		{"no peer", bad(nil, "")},
		{"no name", bad(change(func(p *bootstrapv1.Peer) { p.Name = "" }), ".name")},
		{"a long name", bad(change(func(p *bootstrapv1.Peer) { p.Name = strings.Repeat("a", 65) }), ".name")},
		{"a name with control characters", bad(change(func(p *bootstrapv1.Peer) { p.Name = "a\x1b[2Jb" }), ".name")},
		{"a name of blanks", bad(change(func(p *bootstrapv1.Peer) { p.Name = " ann" }), ".name")},
		{"port 0", bad(change(func(p *bootstrapv1.Peer) { p.Port = 0 }), ".port")},
		{"port 65536", bad(change(func(p *bootstrapv1.Peer) { p.Port = 65536 }), ".port")},
		{"an id that is none", bad(change(func(p *bootstrapv1.Peer) { p.Id = "ann" }), ".id")},
		{"an id in capitals", bad(change(func(p *bootstrapv1.Peer) { p.Id = "AAAAAAAA-0000-4000-8000-000000000001" }), ".id")},
		{"no host", bad(change(func(p *bootstrapv1.Peer) { p.Host = "" }), ".host")},
		{"a host with blanks", bad(change(func(p *bootstrapv1.Peer) { p.Host = "a b" }), ".host")},
		{"a host that nobody can dial", bad(change(func(p *bootstrapv1.Peer) { p.Host = "0.0.0.0" }), ".host")},
		{"several things at once", bad(change(func(p *bootstrapv1.Peer) { p.Id, p.Port = "", 0 }), ".id", ".port")},
		{"too many labels", bad(change(func(p *bootstrapv1.Peer) {
			for i := range 17 {
				p.Labels[strings.Repeat("k", i+1)] = "v"
			}
		}), ".labels")},
		{"an early time is a time", []step{{
			req:  &bootstrapv1.JoinRequest{Peer: change(func(p *bootstrapv1.Peer) { p.JoinedAt = timestamppb.New(time.Unix(0, 0)) })},
			want: "default@1: ann, held",
		}}},
	}
}

// unchanged is the default group as it was in the beginning.
func unchanged() step { return step{req: &bootstrapv1.ListRequest{}, want: "default@0:"} }

// wrongFields are those of the other requests.
func wrongFields() []test {
	return []test{
		{"odd groups", []step{
			{req: &bootstrapv1.ListRequest{Group: "a b"}, code: codes.InvalidArgument, fields: []string{"group"}},
			{req: &bootstrapv1.ListRequest{Group: "../a"}, code: codes.InvalidArgument, fields: []string{"group"}},
			{req: &bootstrapv1.ListRequest{Group: "a&b=c#d?e%2f"}, code: codes.InvalidArgument, fields: []string{"group"}},
			{req: &bootstrapv1.ListRequest{Group: strings.Repeat("g", 65)}, code: codes.InvalidArgument, fields: []string{"group"}},
			{req: &bootstrapv1.GetConfigRequest{Group: "é"}, code: codes.InvalidArgument, fields: []string{"group"}},
			{req: &bootstrapv1.ResetRequest{Group: "a/b"}, code: codes.InvalidArgument, fields: []string{"group"}},
			unchanged(),
		}},
		{"ids of leave and renew", []step{
			{req: &bootstrapv1.LeaveRequest{}, code: codes.InvalidArgument, fields: []string{"id"}},
			{req: &bootstrapv1.RenewRequest{Id: "1", Group: "a b"}, code: codes.InvalidArgument, fields: []string{"group", "id"}},
		}},
		{"odd configurations", []step{
			{
				req:  &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{Lease: seconds(-1)}},
				code: codes.InvalidArgument, fields: []string{"config.lease"},
			},
			{
				req:  &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{Lease: durationpb.New(time.Millisecond)}},
				code: codes.InvalidArgument, fields: []string{"config.lease"},
			},
			{
				req:  &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 1001, MinRefillCandidates: 1001}},
				code: codes.InvalidArgument, fields: []string{"config.max_peers", "config.min_refill_candidates"},
			},
			{
				req:  &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 2}, UpdateMask: mask("max_pears")},
				code: codes.InvalidArgument, fields: []string{"update_mask"},
			},
			{
				req:  &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{}, UpdateMask: mask("max_peers")},
				code: codes.InvalidArgument, fields: []string{"config.max_peers"},
			},
			unchanged(),
		}},
	}
}
