//go:build linux

package fast

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/testcoord"
)

// idling is what peers do that know each other, with the profile lan of memberlist. Whoever initialises runs the chat, too, which has a stream between
// each two peers; members alone have none.
const (
	withChat    = "all init\n"
	membersOnly = "all member create\nall bootstrap join\nall member start\nall member join\n"
	idling      = "profile lan\npeers p[1..%d]\n%sexpect all within 5m members alive = %d\nlab sleep 60s\nlab sleep 2m\n"
)

// BenchmarkIdle is how much virtual time passes in a second while peers that know each other gossip, and what a peer takes of memory at most. Start is how
// long it takes until all see all, settle the minute after that, in which the news of the joins go round, and end until all have left.
func BenchmarkIdle(b *testing.B) {
	for _, c := range []struct {
		name, begin string
		n           int
	}{
		{"100", withChat, 100}, {"100/members", membersOnly, 100}, {"500/members", membersOnly, 500}, {"1000/members", membersOnly, 1000},
	} {
		b.Run(c.name, func(b *testing.B) {
			var start, settle, idle, end float64
			var memory int64 // in KiB
			for b.Loop() {
				ends := &ends{begun: time.Now()}
				var guest *exec.Cmd
				begin := func() (cmd *exec.Cmd, err error) {
					guest, err = itself()
					return guest, err
				}
				what := spec(fmt.Sprintf(idling, c.n, c.begin, c.n))
				what.Observer = ends
				o, err := Run(b.Context(), begin, what, io.Discard)
				if err != nil || !o.Result.OK() {
					b.Fatal(err)
				}
				start += ends.known.Sub(ends.begun).Seconds()
				settle += ends.settled.Sub(ends.known).Seconds()
				idle += ends.slept.Sub(ends.settled).Seconds()
				end += time.Since(ends.slept).Seconds()
				memory += guest.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
			}
			n := float64(b.N)
			b.ReportMetric(120*n/idle, "virtual-s/s")
			b.ReportMetric(start/n, "start-s")
			b.ReportMetric(settle/n, "settle-s")
			b.ReportMetric(end/n, "end-s")
			b.ReportMetric(float64(memory)/n/float64(c.n), "KiB/peer")
		})
	}
}

// ends notes when steps have ended, on the clock of the machine: in the simulation there is another one.
type ends struct {
	testcoord.Nobody
	begun, known, settled, slept time.Time
}

func (e *ends) StepEnds(s testcoord.StepRecord) {
	switch {
	case strings.HasPrefix(s.Text, "expect"):
		e.known = time.Now()
	case s.Text == "lab sleep 60s":
		e.settled = time.Now()
	case s.Text == "lab sleep 2m":
		e.slept = time.Now()
	}
}
