package membership

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"testing/synctest"
)

// BenchmarkMassJoin measures, in real time on the in-memory network, from the first start until all see all.
func BenchmarkMassJoin(b *testing.B) {
	for _, profile := range []string{"lan", "local", "fast"} {
		for _, n := range []int{50, 100} {
			b.Run(fmt.Sprintf("%s/%d", profile, n), func(b *testing.B) {
				var worst time.Duration
				for b.Loop() {
					l := newLab(b, profile)
					start := time.Now()
					p := l.many(n)
					l.eventually(2*time.Minute, func() error { return allSee(p) })
					worst = max(worst, time.Since(start))
					b.StopTimer()
					for _, x := range p {
						_ = x.Close()
					}
					b.StartTimer()
				}
				b.ReportMetric(worst.Seconds(), "worst-s")
			})
		}
	}
}

// TestMassJoinTail joins 50 peers again and again, and says how long the slowest took. It is long:
// PEERLAB_MASS_JOINS=100 go test -run MassJoinTail -v ./internal/membership
func TestMassJoinTail(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("PEERLAB_MASS_JOINS"))
	if err != nil {
		t.Skip("PEERLAB_MASS_JOINS is not set")
	}
	for _, profile := range Profiles() {
		t.Run(profile, func(t *testing.T) {
			var worst, sum time.Duration
			late, syncs := 0, uint64(0)
			for range rounds {
				synctest.Test(t, func(t *testing.T) {
					t.Cleanup(func() { <-time.After(time.Minute) })
					l := newLab(t, profile)
					start := time.Now()
					p := l.many(50)
					l.eventually(2*time.Minute, func() error { return allSee(p) })
					took := time.Since(start)
					worst, sum = max(worst, took), sum+took
					if took > 10*time.Second {
						late++
					}
					for _, x := range p {
						syncs += x.Stats().Syncs
					}
				})
			}
			t.Logf("%d joins of 50: mean %s, worst %s, %d later than 10 s, %.1f syncs each",
				rounds, sum/time.Duration(rounds), worst, late, float64(syncs)/float64(rounds))
		})
	}
}
