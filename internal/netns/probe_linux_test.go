package netns

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"time"
)

// link is a way to an echo: each Write is a datagram, each Read one that came back.
type link interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
}

// measured is what happened to numbered datagrams on their way to an echo and back.
type measured struct {
	sent, back int // different ones
	twice      int // that came more than once
	late       int // that came after one with a higher number
	median     time.Duration
	p5, p95    time.Duration
}

func (m measured) String() string {
	return fmt.Sprintf("%d of %d back (%.1f %% lost), %d twice, %d late, round trip %.1f ms (5 %% %.1f, 95 %% %.1f)",
		m.back, m.sent, 100*m.lost(), m.twice, m.late, ms(m.median), ms(m.p5), ms(m.p95))
}

func (m measured) lost() float64 { return 1 - float64(m.back)/float64(m.sent) }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// probeSize is the length of a datagram: number, time, and nothing.
const probeSize = 64

// measure sends n datagrams at a pace, and waits for a while after the last.
func measure(t *testing.T, conn link, n int, pace, wait time.Duration) measured {
	t.Helper()
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		ticks := time.NewTicker(pace)
		defer ticks.Stop()
		for i := range n {
			<-ticks.C
			b := binary.BigEndian.AppendUint32(make([]byte, 0, probeSize), uint32(i))
			b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
			_, _ = conn.Write(b[:probeSize])
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
	}()
	m := measured{sent: n}
	seen := map[uint32]int{}
	highest := -1
	var trips []time.Duration
	b := make([]byte, 2048)
	for {
		k, err := conn.Read(b)
		if err != nil {
			break
		}
		if k != probeSize {
			continue
		}
		i := binary.BigEndian.Uint32(b)
		seen[i]++
		switch seen[i] {
		case 1:
			m.back++
			trips = append(trips, time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(b[4:])))))
			if int(i) < highest {
				m.late++
			}
			highest = max(highest, int(i))
		case 2:
			m.twice++
		}
	}
	<-sender
	_ = conn.SetReadDeadline(time.Time{})
	if len(trips) > 0 {
		slices.Sort(trips)
		m.median, m.p5, m.p95 = trips[len(trips)/2], trips[len(trips)/20], trips[len(trips)*19/20]
	}
	return m
}

// probable is how far a share of n may be from p by chance: five standard deviations, which one
// of two million measurements exceeds.
func probable(p float64, n int) float64 { return 5 * math.Sqrt(p*(1-p)/float64(n)) }

// checkShare compares a share that was measured with what is wanted.
func checkShare(t *testing.T, what string, got, want float64, n int) {
	t.Helper()
	if d := probable(want, n); math.Abs(got-want) > d {
		t.Errorf("%s: %.2f %%, want %.2f ± %.2f %%", what, 100*got, 100*want, 100*d)
	}
}
