package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/membership"
)

// memberViews show who is there.
func (p *Peer) memberViews() []app.Spec {
	return []app.Spec{
		{
			Name: "member list", Aliases: []string{"members", "memberlist members", "memberlist list"},
			Summary: "list the members as this peer sees them, oldest first",
			Example: "member list --state alive",
			Flags: []app.Flag{{
				Name: "state", Kind: app.Enum, Summary: "only members in this state",
				Values: []string{string(app.Alive), string(app.Suspect), string(app.Left), string(app.Lost)},
			}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				t := app.Table{Columns: []string{"name", "state", "address", "rpc", "apps", "rtt", "joined"}}
				for _, m := range p.Members() {
					if s := args.String("state"); s == "" || s == string(m.State) {
						t.Add(listedName{m.Name, m.Self}, string(m.State), m.Addr, m.RPCAddr, listed(m.Apps), rtt(m), m.JoinedAt)
					}
				}
				return t, nil
			},
		},
		{
			Name: "member count", Aliases: []string{"memberlist count"},
			Summary: "count the members that are alive, with this one",
			Example: "member count",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				alive, _ := p.count()
				return alive, nil
			},
		},
		{
			Name: "member info", Aliases: []string{"memberlist info"},
			Summary: "show all that is known of a member; without a name, of this peer",
			Example: "member info bob",
			Params:  []app.Param{{Name: "name", Kind: app.MemberName, Optional: true}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				name := args.String("name")
				if name == "" {
					name = p.cfg.Name
				}
				m, err := p.find(name)
				if err != nil {
					return nil, err
				}
				return p.describe(m), nil
			},
		},
	}
}

// selfViews show this peer.
func (p *Peer) selfViews() []app.Spec {
	return []app.Spec{
		{
			Name: "member local", Aliases: []string{"memberlist local", "memberlist localnode"},
			Summary: "show how far this peer has come, and what it tells of itself",
			Example: "member local",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				self := app.Member{Name: p.cfg.Name, Self: true}
				if m := p.membership(); m != nil {
					self = m.Self()
				}
				return p.reached(
					app.Field{Name: "name", Value: self.Name}, app.Field{Name: "group", Value: p.groupName()},
					app.Field{Name: "id", Value: self.ID}, app.Field{Name: "gossip", Value: self.Addr},
					app.Field{Name: "rpc", Value: p.rpcAddr()}, app.Field{Name: "apps", Value: listed(self.Apps)},
				), nil
			},
		},
		{
			Name: "member health", Aliases: []string{"memberlist health", "memberlist healthscore"},
			Summary: "show how well this peer hears the others, and what its gossip has to do",
			Detail:  "Score 0 is well; each point makes this peer wait longer before it doubts others, for the fault may be its own.",
			Example: "member health",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				p.mu.Lock()
				m, started := p.members, p.started
				p.mu.Unlock()
				if !started {
					return nil, errors.New("member health: membership does not run yet; first: member start (or init)")
				}
				return health(m.Stats()), nil
			},
		},
	}
}

func health(s membership.Stats) app.Record {
	return app.Record{
		{Name: "score", Value: s.HealthScore}, {Name: "queued", Value: s.Queued}, {Name: "dropped", Value: s.Dropped},
		{Name: "syncs", Value: s.Syncs}, {Name: "heals", Value: s.Heals}, {Name: "entries", Value: s.Entries},
		{Name: "deletions", Value: s.Tombstones}, {Name: "refused", Value: s.Refused},
	}
}

func (p *Peer) describe(m app.Member) app.Record {
	r := app.Record{
		{Name: "name", Value: m.Name}, {Name: "id", Value: m.ID}, {Name: "state", Value: string(m.State)},
		{Name: "address", Value: m.Addr}, {Name: "rpc", Value: m.RPCAddr}, {Name: "apps", Value: listed(m.Apps)},
		{Name: "joined", Value: m.JoinedAt}, {Name: "rtt", Value: rtt(m)},
	}
	if n := p.membership(); m.Self && n != nil {
		s := n.Stats()
		r = append(r, app.Field{Name: "health_score", Value: s.HealthScore},
			app.Field{Name: "queued_broadcasts", Value: s.Queued}, app.Field{Name: "dropped", Value: s.Dropped})
	}
	return r
}

// listedName is the name of a member in a list; people see which one is this peer.
type listedName struct {
	name string
	self bool
}

func (n listedName) String() string {
	if n.self {
		return n.name + " *"
	}
	return n.name
}

// MarshalJSON writes the name alone, which is what programs look for.
func (n listedName) MarshalJSON() ([]byte, error) { return json.Marshal(n.name) }

// listed is a list that is one for programs, too, when it is empty.
func listed(names []string) []string { return append([]string{}, names...) }

func rtt(m app.Member) any {
	if m.RTT == 0 {
		return nil
	}
	return m.RTT
}

func unknownMember(name string, members []app.Member) error {
	if len(members) == 0 {
		return errors.New("this peer is in no group yet; first: init")
	}
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	if near := command.Nearest(name, names); near != "" {
		return fmt.Errorf("no member is called %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("no member is called %q", name)
}
