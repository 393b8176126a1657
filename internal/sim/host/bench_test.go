package host

import (
	"fmt"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/sim"
)

// BenchmarkIdle is how much virtual time passes in a second while peers that know each other gossip, with the profile lan of memberlist, and
// what a peer takes of memory then. Start is how long it takes until all see all; settle is the minute after that, in which the news of the joins go round.
func BenchmarkIdle(b *testing.B) {
	h, err := shared()
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{10, 100, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var start, settle, virtual, memory float64
			for b.Loop() {
				marks := &marks{begin: time.Now()}
				spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": fmt.Appendf(nil, idle, n, n)}, Seed: 1}
				o, stats, err := h.Run(b.Context(), spec, marks)
				if err != nil || !o.Result.OK() {
					b.Fatal(err, marks)
				}
				start += marks.between("", "expect").Seconds()
				settle += marks.between("expect", "sleep 60s").Seconds()
				virtual += 120 / marks.between("sleep 60s", "sleep 2m").Seconds()
				memory += float64(stats.Memory) / float64(n)
			}
			b.ReportMetric(virtual/float64(b.N), "virtual-s/s")
			b.ReportMetric(start/float64(b.N), "start-s")
			b.ReportMetric(settle/float64(b.N), "settle-s")
			b.ReportMetric(memory/float64(b.N)/1024, "KiB/peer")
		})
	}
}

const idle = `profile lan
peers p[1..%d]
all init
expect all within 5m members alive = %d
lab sleep 60s
lab sleep 2m
`
