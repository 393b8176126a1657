package netns

import (
	"testing"
	"time"
)

// TestNetem measures what the kernel does with each fault that it needs netem for.
func TestNetem(t *testing.T) {
	needNetem(t)
	l := startLab(t, "alice", "bob", "carol")
	set(t, l, "latency 1ms alice -> carol") // a netem beside those of bob
	conn := dialEcho(t, l, "alice", startEcho(t, l, "bob", GossipPort))
	const n = 2000
	for name, f := range map[string]flow{
		"nothing":   {},
		"latency":   {latency: 50 * time.Millisecond},
		"jitter":    {latency: 50 * time.Millisecond, jitter: 20 * time.Millisecond},
		"loss":      {loss: 0.2},
		"duplicate": {duplicate: 0.1},
		"reorder":   {latency: 10 * time.Millisecond, reorder: 0.1},
		"all":       {latency: 20 * time.Millisecond, loss: 0.1, duplicate: 0.1, bandwidth: 1e6},
	} {
		t.Run(name, func(t *testing.T) {
			fault := &fault{links: map[[2]int]bool{{1, 2}: true}, lanes: [everything]bool{true, true, true}, flow: f}
			if err := l.add(t.Context(), fault, 0); err != nil {
				t.Fatal(err)
			}
			m := measure(t, conn, n, time.Millisecond, 500*time.Millisecond)
			t.Log(m)
			checkShare(t, "lost", m.lost(), f.loss, n)
			if name != "reorder" {
				checkShare(t, "twice", float64(m.twice)/float64(m.back), f.duplicate, m.back)
				if m.median < f.latency-f.jitter/4 || m.median > f.latency+f.jitter/4+10*time.Millisecond {
					t.Errorf("round trip %s, want %s", m.median, f.latency)
				}
			}
			if err := l.Heal(t.Context(), []string{"alice"}, []string{"bob"}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
