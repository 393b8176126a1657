package host

import (
	"fmt"
	"io"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/sim"
)

// BenchmarkIdle is how much virtual time passes in a second while peers that know each other gossip, with the profile lan of memberlist, and
// what a peer takes of memory then. Start is how long it takes until all see all; settle is the minute after that, in which the news of the joins go round.
func BenchmarkIdle(b *testing.B) {
	p, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	compiled := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte("peers alice\nalice echo\n")}}
	if _, _, err := p.Run(b.Context(), compiled, io.Discard); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, begin string
		n           int
	}{
		{"10", withChat, 10}, {"100", withChat, 100}, {"100/members", membersOnly, 100}, {"300/members", membersOnly, 300}, {"300", withChat, 300},
	} {
		b.Run(c.name, func(b *testing.B) {
			var start, settle, virtual, memory float64
			for b.Loop() {
				marks := &marks{begin: time.Now()}
				spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": fmt.Appendf(nil, idling, c.n, c.begin, c.n)}, Seed: 1}
				o, stats, err := p.Run(b.Context(), spec, marks)
				if err != nil || !o.Result.OK() {
					b.Fatal(err, marks)
				}
				start += marks.between("", "expect").Seconds()
				settle += marks.between("expect", "sleep 60s").Seconds()
				virtual += 120 / marks.between("sleep 60s", "sleep 2m").Seconds()
				memory += float64(stats.Memory) / float64(c.n)
			}
			b.ReportMetric(virtual/float64(b.N), "virtual-s/s")
			b.ReportMetric(start/float64(b.N), "start-s")
			b.ReportMetric(settle/float64(b.N), "settle-s")
			b.ReportMetric(memory/float64(b.N)/1024, "KiB/peer")
		})
	}
}

// idling is what peers do that know each other. Whoever initialises runs the chat, too, which has a stream between each two peers; members alone
// have none.
const (
	withChat    = "all init\n"
	membersOnly = "all member create\nall bootstrap join\nall member start\nall member join\n"
	idling      = "profile lan\npeers p[1..%d]\n%sexpect all within 5m members alive = %d\nlab sleep 60s\nlab sleep 2m\n"
)
