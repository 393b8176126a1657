package membership

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// holds are the entries of the chat at a peer, as "key=value key=value".
func (p *peer) holds() string {
	var out []string
	for _, e := range p.Entries("chat") {
		out = append(out, e.Key+"="+string(e.Value))
	}
	return strings.Join(out, " ")
}

func (p *peer) set(key, value string) {
	p.lab.t.Helper()
	if err := p.Set("chat", key, []byte(value)); err != nil {
		p.lab.t.Fatal(err)
	}
}

func (p *peer) remove(key string) {
	p.lab.t.Helper()
	if err := p.Delete("chat", key); err != nil {
		p.lab.t.Fatal(err)
	}
}

// agree waits until all peers hold the same, and want if that is not empty.
func (l *lab) agree(limit time.Duration, peers []*peer, want string) {
	l.t.Helper()
	l.eventually(limit, func() error {
		first := peers[0].holds()
		if want != "" && first != want {
			return fmt.Errorf("%s holds %.200q, want %.200q", peers[0].Self().Name, first, want)
		}
		for _, p := range peers {
			if got := p.holds(); got != first {
				return fmt.Errorf("%s holds %.200q, and %s %.200q", p.Self().Name, got, peers[0].Self().Name, first)
			}
		}
		return nil
	})
}

func TestDataReachAll(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"lan", "fast"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			inLab(t, profile, func(t *testing.T, l *lab) {
				p := l.many(20)
				l.eventually(time.Minute, func() error { return allSee(p) })
				start := time.Now()
				p[7].set("colour", "blue")
				l.agree(5*time.Second, p, "colour=blue")
				t.Logf("set after %s", time.Since(start))
				p[3].set("colour", "red")
				p[3].set("size", "\x00\xff")
				l.agree(5*time.Second, p, "colour=red size=\x00\xff")
				p[9].remove("colour")
				l.agree(5*time.Second, p, "size=\x00\xff")
				if _, ok := p[0].Get("counter", "size"); ok {
					t.Error("another application sees it")
				}
			})
		})
	}
}

func TestConcurrentWritersAgree(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.many(10)
		l.eventually(time.Minute, func() error { return allSee(p) })
		for round := range 20 {
			for i, x := range p {
				switch k := fmt.Sprint("k", round%5); {
				case (i+round)%4 == 0:
					x.remove(k)
				default:
					x.set(k, fmt.Sprint(i, ".", round))
				}
			}
			<-time.After(100 * time.Millisecond)
		}
		l.agree(10*time.Second, p, "")
		for _, x := range p {
			if s := x.Stats(); s.Refused > 0 || s.Dropped > 0 {
				t.Errorf("%s: %+v", x.Self().Name, s)
			}
		}
	})
}

func TestLateJoinerGetsAllAtOnce(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("a", "b", "c")
		for i := range app.MaxEntries / 2 {
			p[i%3].set(fmt.Sprintf("k%04d", i), strings.Repeat("v", app.MaxValue-10))
			if i%100 == 0 {
				<-time.After(10 * time.Second) // as much as can wait to be sent
			}
		}
		p[0].remove("k0000")
		l.agree(time.Minute, p, "")
		late := l.start("late")
		late.join(p[2])
		if got := late.holds(); got != p[2].holds() || !strings.HasPrefix(got, "k0001=") {
			t.Errorf("right after join it holds %.40q…", got)
		}
		if q := late.Stats().Queued; q != 0 {
			t.Errorf("the newcomer sends on %d entries that all others have", q)
		}
		late.set("k0001", "new")
		l.agree(10*time.Second, append(p, late), "")
	})
}

func TestSplitDataHeal(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.many(12)
		l.eventually(time.Minute, func() error { return allSee(p) })
		p[0].set("both", "before")
		p[0].set("gone", "before")
		l.agree(5*time.Second, p, "both=before gone=before")
		var left []string
		for _, x := range p[:6] {
			left = append(left, x.ip)
		}
		l.net.Partition(left)
		p[0].set("left", "1")
		p[1].set("both", "left")
		p[5].remove("gone")
		for i := range 300 {
			p[2].set(fmt.Sprint("l", i), "x")
		}
		<-time.After(2 * time.Minute)
		p[6].set("both", "right")
		p[7].set("right", "2")
		l.agree(10*time.Second, p[6:], "both=right gone=before right=2")
		if v, _ := p[5].Get("chat", "both"); string(v) != "left" {
			t.Errorf("the cut lets data through: %q", v)
		}
		l.net.Heal()
		start := time.Now()
		l.agree(30*time.Second, p, "")
		t.Logf("agree %s after the heal", time.Since(start))
		got := strings.Fields(p[0].holds())
		if len(got) != 303 || got[0] != "both=right" || got[302] != "right=2" || slices.Contains(got, "gone=before") {
			t.Errorf("hold %d entries, from %s to %s", len(got), got[0], got[len(got)-1])
		}
	})
}

func TestDeleteAgainstConcurrentSet(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("a", "b", "c")
		p[0].set("x", "1")
		l.agree(5*time.Second, p, "x=1")
		// The stamps of one moment differ by the writer; what was deleted may be set again.
		p[1].set("x", "2")
		p[0].remove("x")
		<-time.After(3 * time.Second)
		if a := p[0].holds(); a != "" && a != "x=2" {
			t.Errorf("holds %q", a)
		}
		l.agree(5*time.Second, p, "")
		p[2].set("x", "3")
		l.agree(5*time.Second, p, "x=3")
		p[2].remove("x")
		p[2].set("x", "4")
		l.agree(5*time.Second, p, "x=4")
	})
}

// What no gossip brings, the digest finds soon: long before the next full sync of memberlist's.
func TestMissedEntryIsRepaired(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		slow := func(c *Config) { c.Tuning.PushPullInterval = time.Hour }
		p := l.many(10, slow)
		l.eventually(time.Minute, func() error { return allSee(p) })
		for _, key := range []string{"x", "y"} {
			p[0].store.mu.Lock()
			send := p[0].store.send
			p[0].store.send = func(dataKey, app.Entry, []byte) bool { return true } // nobody hears of it
			p[0].store.mu.Unlock()
			p[0].set(key, "1")
			p[0].store.mu.Lock()
			p[0].store.send = send
			p[0].store.mu.Unlock()
		}
		start := time.Now()
		l.agree(15*time.Second, p, "x=1 y=1")
		t.Logf("repaired after %s", time.Since(start))
	})
}

// Data that change all the time must not look as if something was missing.
func TestBusyDataNeedNoFullSyncs(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.many(20)
		l.eventually(time.Minute, func() error { return allSee(p) })
		<-time.After(time.Minute)
		before := uint64(0)
		for _, x := range p {
			before += x.Stats().Syncs
		}
		for round := range 300 { // a minute, in which one key changes ten times a second, and others now and then
			p[round%3].set("busy", fmt.Sprint(round))
			p[round%20].set(fmt.Sprint("k", round%20), fmt.Sprint(round))
			<-time.After(200 * time.Millisecond)
		}
		after := uint64(0)
		for _, x := range p {
			after += x.Stats().Syncs
		}
		// 20 peers probe 1200 times in a minute.
		if after-before > 20 {
			t.Errorf("%d full syncs in a minute", after-before)
		}
		t.Logf("%d full syncs in a minute", after-before)
		l.agree(10*time.Second, p, "")
	})
}

func TestChangesAreToldInOrder(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		told := make(chan string, 100)
		a := l.start("a", func(c *Config) {
			c.OnData = func(application string, e app.Entry) {
				told <- fmt.Sprint(application, " ", e.Key, "=", string(e.Value), " ", e.Deleted, " own:", e.Stamp.Node == c.ID)
			}
		})
		b := l.start("b")
		b.join(a)
		l.eventually(10*time.Second, func() error { return a.sees(app.Alive, "a", "b") })
		a.set("x", "1")
		b.set("y", "2")
		l.agree(5*time.Second, []*peer{a, b}, "x=1 y=2")
		replayed := make(chan int, 1)
		a.Replay("chat", func(all []app.Entry) {
			replayed <- len(all)
			told <- "replayed"
		})
		b.remove("x")
		l.agree(5*time.Second, []*peer{a, b}, "y=2")
		<-time.After(time.Second)
		want := []string{"chat x=1 false own:true", "chat y=2 false own:false", "replayed", "chat x= true own:false"}
		for _, w := range want {
			if got := <-told; got != w {
				t.Errorf("told %q, want %q", got, w)
			}
		}
		if n := <-replayed; n != 2 || len(told) != 0 {
			t.Errorf("replayed %d entries, %d calls more", n, len(told))
		}
	})
}

func TestWritesNeedARunningMembership(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.prepare("a")
		if err := p.Set("chat", "x", nil); !errors.Is(err, ErrNotRunning) {
			t.Errorf("before start: %v", err)
		}
		l.run(p)
		p.set("x", "1")
		if err := p.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if err := p.Delete("chat", "x"); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after leave: %v", err)
		}
		if p.holds() != "x=1" {
			t.Errorf("after leave it holds %q", p.holds())
		}
	})
}

// A replica whose clock is far ahead is not believed; the group works on, and hears of it when the clock is right.
func TestPeerWithAWrongClockDoesNotPoisonTheGroup(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		wrong := NewClock()
		wrong.wall = time.Now().Add(24 * time.Hour).UnixNano()
		p := []*peer{l.start("a"), l.start("b"), l.start("mad", func(c *Config) { c.Clock = wrong })}
		for _, x := range p[1:] {
			x.join(p[0])
		}
		l.eventually(10*time.Second, func() error { return allSee(p) })
		p[2].set("x", "from tomorrow")
		<-time.After(time.Minute)
		p[0].set("x", "today")
		l.agree(5*time.Second, p[:2], "x=today")
		if p[0].Stats().Refused == 0 {
			t.Error("nothing was refused")
		}
		if e := p[0].Entries("chat")[0]; time.Until(e.Stamp.Time()) > time.Second {
			t.Errorf("the clock of a was drawn to %s", e.Stamp)
		}
	})
}

func TestNewerVersionTakesThePlaceOfTheOlderInTheOutbox(t *testing.T) {
	t.Parallel()
	o := &outbox{members: func() int { return 9 }, mult: 2}
	o.put([]byte("x1"), key("x"))
	o.put([]byte("y1"), key("y"))
	o.put([]byte("plain"), dataKey{})
	o.put([]byte("plain"), dataKey{})
	o.take(2, 100)
	o.put([]byte("x2"), key("x"))
	var sent []string
	for _, m := range append(o.take(2, 100), o.take(2, 100)...) {
		sent = append(sent, string(m))
	}
	if got := strings.Join(sent, " "); got != "x2 y1 plain plain x2" || o.size() != 0 {
		t.Errorf("sent %q, and %d wait", got, o.size())
	}
}

func TestLargestEntryFitsIntoAPacket(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Group, cfg.Key = strings.Repeat("g", maxGroup), make([]byte, 32)
	e := app.Entry{
		Key: strings.Repeat("k", app.MaxKey), Value: make([]byte, app.MaxValue),
		Stamp: app.Stamp{Wall: 1 << 62, Logical: 1<<32 - 1, Node: strings.Repeat("n", maxID)},
	}
	b, err := proto.Marshal(&membershipv1.Gossip{
		Origin: strings.Repeat("o", maxID), Seq: 1<<64 - 1,
		What: &membershipv1.Gossip_Entry{Entry: encodeEntry(dataKey{app: strings.Repeat("a", maxName), key: e.Key}, e)},
	})
	if err != nil || len(b) > room(cfg) {
		t.Errorf("%d bytes for a room of %d, %v", len(b), room(cfg), err)
	}
}

// What another member sends as its state neither hurts nor gets past the checks.
func FuzzRemoteState(f *testing.F) {
	s, _, _ := newTestStore("seed")
	_ = s.set(key("x"), []byte("v"))
	_ = s.remove(key("x"))
	_ = s.set(key("y"), []byte{0, 0xff})
	f.Add(stateOf(s))
	f.Add([]byte("\xff\xff\xff"))
	f.Add([]byte("\x0a\x02\x12\x00"))
	l := newLab(f, "lan")
	n := l.prepare("fuzzed")
	f.Fuzz(func(t *testing.T, b []byte) {
		n.store = newStore(NewClock(), "me")
		n.store.tell = func(dataKey, app.Entry) {}
		n.store.send = func(dataKey, app.Entry, []byte) bool { return true }
		n.received(b)
		n.receivedState(b)
		first := n.state()
		n.receivedState(b)
		n.store.checkSums(t)
		if d := n.store.digest(1 << 62); d != n.store.digest(1<<62) || len(first) != len(n.state()) {
			t.Error("merging twice changes something")
		}
		for k, d := range n.store.data {
			if _, _, err := decodeEntry(encodeEntry(k, d.Entry)); err != nil {
				t.Errorf("%v holds what it refuses: %v", k, err)
			}
		}
	})
}
