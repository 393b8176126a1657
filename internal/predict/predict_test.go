package predict

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/membership"
)

func lan(t *testing.T, n int, loss float64) Lab {
	t.Helper()
	tuning, err := membership.Profile("lan")
	if err != nil {
		t.Fatal(err)
	}
	return Lab{Peers: n, Tuning: tuning, Loss: loss}
}

// TestSpreading compares the recurrence with the mean of many epidemics that are played.
func TestSpreading(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(1, 2))
	for _, l := range []Lab{lan(t, 10, 0), lan(t, 100, 0), lan(t, 100, 0.3), lan(t, 300, 0)} {
		const rounds = 12
		mean := make([]float64, rounds+1)
		const games = 300
		for range games {
			for i, n := range play(l, rounds, chance) {
				mean[i] += float64(n) / games
			}
		}
		known := l.known()
		for round := range min(rounds+1, len(known)) {
			if off := math.Abs(known[round]-mean[round]) / float64(l.Peers); off > 0.08 {
				t.Errorf("%d peers, loss %g, round %d: %.1f know, played %.1f", l.Peers, l.Loss, round, known[round], mean[round])
			}
		}
	}
}

// play is one epidemic: how many know after each round.
func play(l Lab, rounds int, chance *rand.Rand) []int {
	sent := make([]int, l.Peers) // how often each that knows may still send; 0 does not know, -1 is done
	limit := int(l.retransmits())
	sent[0] = limit
	count := 1
	out := []int{count}
	for range rounds {
		var learned []int
		for i := range sent {
			for range l.Tuning.GossipNodes {
				if sent[i] <= 0 {
					break
				}
				if sent[i]--; sent[i] == 0 {
					sent[i] = -1
				}
				to := chance.IntN(l.Peers - 1)
				if to >= i {
					to++
				}
				if chance.Float64() >= l.Loss {
					learned = append(learned, to)
				}
			}
		}
		for _, i := range learned {
			if sent[i] == 0 {
				sent[i] = limit
				count++
			}
		}
		out = append(out, count)
	}
	return out
}

// TestSuspected plays probes that are not synchronised.
func TestSuspected(t *testing.T) {
	t.Parallel()
	l := lan(t, 50, 0)
	chance := rand.New(rand.NewPCG(3, 4))
	var sum float64
	const games = 20000
	for range games {
		first := math.Inf(1) // in intervals
		for range l.Peers - 1 {
			// Each of the others has the crashed one at a random place of its round, at a random phase.
			first = math.Min(first, float64(chance.IntN(l.Peers-1))+chance.Float64())
		}
		sum += first + 1
	}
	want := l.suspected().Seconds() / l.Tuning.ProbeInterval.Seconds()
	if mean := sum / games; math.Abs(mean-want) > 0.05*want {
		t.Errorf("predicted %.2f intervals, played %.2f", want, mean)
	}
}

func TestFalseSuspicion(t *testing.T) {
	t.Parallel()
	l := lan(t, 50, 0.2)
	chance := rand.New(rand.NewPCG(5, 6))
	arrives := func(packets int) bool {
		for range packets {
			if chance.Float64() < l.Loss {
				return false
			}
		}
		return true
	}
	const games = 200000
	wrong := 0
	for range games {
		ok := arrives(2)
		for range l.Tuning.IndirectChecks {
			ok = arrives(4) || ok
		}
		if !ok {
			wrong++
		}
	}
	want := l.falseSuspicion()
	if got := float64(wrong) / games; math.Abs(got-want) > 0.05*want {
		t.Errorf("predicted %.5f, played %.5f", want, got)
	}
}

// TestFigures checks what must hold of all labs, and some that can be computed by hand.
func TestFigures(t *testing.T) {
	t.Parallel()
	var before Figures
	for _, n := range []int{1, 2, 3, 5, 10, 32, 33, 100, 500, 1000} {
		f, err := Of(lan(t, n, 0))
		if err != nil {
			t.Fatal(err)
		}
		if f.Half < before.Half || f.Lost < before.Lost && n > 5 || f.Suspected > f.Lost || f.SuspicionMin > f.SuspicionMax || f.LostByAll < f.Lost {
			t.Errorf("%d peers: %+v", n, f)
		}
		before = f
	}
	f, err := Of(lan(t, 100, 0))
	if err != nil {
		t.Fatal(err)
	}
	// 4 · log10(100) · 1s, and six times that; a ping and an ack each second; 2 · 100 entries in each ⌈log2(100/32)⌉+1 = 3 intervals of 30 s.
	if f.SuspicionMin != 8*time.Second || f.SuspicionMax != 48*time.Second || f.Packets != 2 || math.Abs(f.States-200.0/90) > 1e-9 {
		t.Errorf("%+v", f)
	}
	if _, err := Of(lan(t, 0, 0)); err == nil {
		t.Error("no peers")
	}
	if _, err := Of(lan(t, 10, 1)); err == nil {
		t.Error("all is lost")
	}
}
