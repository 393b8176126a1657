package membership

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
)

// many starts n nodes; all but the first join the first, as fast as they can.
func (l *lab) many(n int, change ...func(*Config)) []*peer {
	l.t.Helper()
	var p []*peer
	for i := range n {
		p = append(p, l.start(fmt.Sprintf("n%03d", i), change...))
	}
	turns, done := make(chan struct{}, 8), make(chan error, n)
	for _, x := range p[1:] {
		go func() {
			turns <- struct{}{}
			_, err := x.Join(l.t.Context(), []string{p[0].Addr()})
			<-turns
			done <- err
		}()
	}
	for range p[1:] {
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	}
	return p
}

// alive counts the live members that a peer sees.
func (p *peer) alive() int {
	n := 0
	for _, m := range p.Members() {
		if m.State == app.Alive {
			n++
		}
	}
	return n
}

func allSee(p []*peer) error {
	for _, x := range p {
		if n := x.alive(); n != len(p) {
			return fmt.Errorf("%s sees %d of %d", x.Self().Name, n, len(p))
		}
	}
	return nil
}

func TestBroadcastReachesAll(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.many(50)
		l.eventually(time.Minute, func() error { return allSee(p) })
		payload := strings.Repeat("x", app.MaxBroadcast)
		for range 3 {
			if err := p[7].Broadcast("chat", []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		want := "chat n007 " + payload
		for i, x := range p {
			times := 3
			if i == 7 {
				times = 0
			}
			l.eventually(20*time.Second, func() error { return x.heardTimes(want, times) })
		}
		<-time.After(20 * time.Second) // what is retransmitted is not delivered again
		for i, x := range p {
			if err := x.heardTimes(want, 3); err != nil && i != 7 {
				t.Error(err)
			}
		}
		l.eventually(time.Minute, func() error {
			if q := p[7].Stats().Queued; q != 0 {
				return fmt.Errorf("%d broadcasts wait for ever", q)
			}
			return nil
		})
	})
}

func (p *peer) heardTimes(what string, want int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := 0
	for _, h := range p.heard {
		if h == what {
			got++
		}
	}
	if got != want || got != len(p.heard) {
		return fmt.Errorf("%s heard it %d times of %d messages, want %d", p.cfg.Name, got, len(p.heard), want)
	}
	return nil
}

func TestBroadcastTooLarge(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		// With the longest group, a key, and the longest application, the largest payload fits.
		widest := func(c *Config) {
			c.Group, c.Key = strings.Repeat("g", maxGroup), make([]byte, 32)
			c.ID += strings.Repeat("i", 36-len(c.ID)) // as long as a UUID
		}
		p := l.many(2, widest)
		l.eventually(time.Minute, func() error { return allSee(p) })
		largest := make([]byte, app.MaxBroadcast)
		if err := p[0].Broadcast(strings.Repeat("a", 32), largest); err != nil {
			t.Fatal(err)
		}
		l.eventually(10*time.Second, func() error {
			return p[1].heardTimes(strings.Repeat("a", 32)+" n000 "+string(largest), 1)
		})
		if err := p[0].Broadcast("chat", append(largest, 0)); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "1024") {
			t.Errorf("got %v, want ErrTooLarge that names the limit", err)
		}
		if err := p[0].Broadcast(strings.Repeat("a", 400), largest); !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, want ErrTooLarge", err)
		}
	})
}

func TestTooManyBroadcastsAreRefused(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.many(2)
		l.eventually(time.Minute, func() error { return allSee(p) })
		var err error
		for range 2 * broadcastsWaiting {
			if err = p[0].Broadcast("chat", []byte("x")); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	members := 9
	o := &outbox{members: func() int { return members }, mult: 2} // each is sent twice
	var sent []string
	take := func(limit int) {
		for _, m := range o.take(2, limit) {
			sent = append(sent, string(m))
		}
	}
	check := func(what, want string) {
		t.Helper()
		if got := strings.Join(sent, " "); got != want {
			t.Errorf("%s: sent %q, want %q", what, got, want)
		}
		sent = nil
	}
	// All of one length, the box empty or with one in it in between.
	o.put([]byte("a1"), dataKey{})
	take(5)
	o.put([]byte("b1"), dataKey{})
	take(5)
	take(5)
	o.put([]byte("c1"), dataKey{})
	take(9)
	take(100)
	check("one packet after the other", "a1 b1 b1 c1 a1 c1")
	o.put([]byte("largest"), dataKey{})
	o.put([]byte("small"), dataKey{})
	take(8)
	take(8)
	take(8)
	check("what does not fit does not hold up others", "small small")
	if o.size() != 1 {
		t.Errorf("%d wait, want 1", o.size())
	}
	members = 1
	if !o.put([]byte("x"), dataKey{}) || o.size() != 1 {
		t.Error("a broadcast waits although there is nobody to send it to")
	}
}

func TestSeenNumbers(t *testing.T) {
	t.Parallel()
	// Against a set, over random numbers that arrive out of order.
	s, known := &seen{}, map[uint64]bool{}
	var newest uint64
	for range 200_000 {
		seq := 1 + newest + rand.Uint64N(window/2)
		if rand.IntN(4) > 0 && newest > 0 {
			seq = 1 + rand.Uint64N(newest)
		}
		old := seq+window <= newest
		want := !known[seq] && !old
		if got := s.mark(seq); got != want {
			t.Fatalf("seq %d with newest %d: new is %t, want %t", seq, newest, got, want)
		}
		known[seq] = true
		newest = max(newest, seq)
	}
}

func TestMassJoinSeesAll(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"lan", "local", "fast"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			for range 3 {
				inLab(t, profile, func(t *testing.T, l *lab) {
					start := time.Now()
					p := l.many(50)
					l.eventually(time.Second, func() error { return allSee(p) })
					t.Logf("50 of 50 after %s", time.Since(start))
				})
			}
		})
	}
}

// TestJoinOfAGroupAtRestSyncsOnce checks that only a crowd costs more than the one full sync of Join.
func TestJoinOfAGroupAtRestSyncsOnce(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.many(20)
		l.eventually(10*time.Second, func() error { return allSee(p) })
		<-time.After(time.Minute)
		late := l.start("late")
		if _, err := late.Join(t.Context(), []string{p[0].Addr()}); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		if err := allSee(append(p, late)); err != nil {
			t.Error(err)
		}
		if n := late.Stats().Syncs; n != 0 {
			t.Errorf("%d syncs more", n)
		}
	})
}
