package membership

import (
	"context"
	"fmt"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// BenchmarkKey is all that one key at a prompt asks of a view of 1,000 members: the offers, the number of the living for the
// prefix, and whether it is red. Nobody may wait for that, so it must stay below a millisecond, also when the view has just changed.
func BenchmarkKey(b *testing.B) {
	self := app.Member{ID: "0123456789abcdef", Name: "alice", Addr: "10.0.0.1:1"}
	v := newView(self, newDigester(), time.Hour)
	var node string
	for i := range 1000 {
		m := app.Member{
			ID: fmt.Sprintf("%016d", i), Name: fmt.Sprintf("peer-%04d", i), Addr: fmt.Sprintf("10.0.1.1:%d", i+1), RPCAddr: "10.0.1.1:9",
			Apps: []string{"chat"}, State: app.Alive, JoinedAt: time.Unix(int64(i*7919%1000), 0),
		}
		node = nodeName(m.Name, m.ID)
		v.apply(note{joined: &m, node: node}, time.Unix(0, 0))
	}
	table, err := command.New(app.Spec{
		Name: "member info", Summary: "tell about a member", Example: "member info alice",
		Params: []app.Param{{Name: "name", Kind: app.MemberName}},
		Run:    func(context.Context, *app.Env, app.Args) (any, error) { return nil, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	live := command.Live{Members: func() []app.Member { return v.listing().members }}
	for _, line := range []string{"member info ", "member info peer-09"} {
		for name, change := range map[string]func(){
			"still":   func() {},
			"changed": func() { v.apply(note{ping: &ping{rtt: time.Millisecond}, node: node}, time.Unix(0, 0)) },
			"joined": func() {
				v.remove(node)
				v.apply(note{joined: &app.Member{ID: "1", Name: "peer-1000", State: app.Alive}, node: node}, time.Unix(0, 0))
			},
		} {
			b.Run(name+"/"+line, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					change()
					offers, _ := table.Complete(line, len(line), live)
					if len(offers) < 90 || v.listing().alive != 1001 || v.listing().suspect != 0 {
						b.Fatalf("%d offers, %d alive", len(offers), v.listing().alive)
					}
				}
			})
		}
	}
}
