package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
)

func TestPeersFindEachOtherThroughTheService(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob, carol := l.joined("alice"), l.joined("bob"), l.joined("carol")
		for _, p := range []*testPeer{alice, bob, carol} {
			p.sees("alice", "bob", "carol")
		}
		l.roster("alice", "bob")
		if err := carol.app.peer.Broadcast([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if got := alice.app.heard(); !slices.Contains(got, "carol says hello") {
				return fmt.Errorf("alice heard %q", got)
			}
			return nil
		})
		bob.leave()
		alice.sees("alice", "carol")
		want := []string{"start", "bob joined", "carol joined", "carol says hello", "bob left"}
		if d := cmp.Diff(want, alice.app.heard()); d != "" {
			t.Errorf("what alice was told (-want +got):\n%s", d)
		}
		if got := bob.app.heard(); got[0] != "start" || got[len(got)-1] != "stop" {
			t.Errorf("bob's application was told %q", got)
		}
		l.roster("alice", "carol") // carol took bob's place
	})
}

func TestEventsOfAPeer(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		bob := l.joined("bob")
		alice.sees("alice", "bob")
		bob.crash()
		alice.sees("alice")
		var kinds []string
		for r := alice.deps.Events.Read(0); ; {
			e, _ := r.Try()
			if e == nil {
				break
			}
			if k := event.Kind(e); k != "updated" && k != "roster" {
				kinds = append(kinds, k+" "+event.Fields(e)["peer"])
			}
		}
		if d := cmp.Diff([]string{"joined alice", "joined bob", "suspected bob", "lost bob"}, kinds); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}

func TestRestartUnderTheSameNameIsAcceptedAtOnce(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		bob.crash()
		began := time.Now()
		again := l.joined("bob")
		again.sees("alice", "bob")
		alice.sees("alice", "bob")
		eventually(t, func() error {
			if m, err := alice.find("bob"); err != nil || m.Addr != again.membership().Addr() {
				return fmt.Errorf("alice knows bob as %+v, %w", m, err)
			}
			return nil
		})
		if took := time.Since(began); took > time.Second {
			t.Errorf("accepted after %s", took)
		}
	})
}

func TestNameOfALiveMemberIsRefused(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		second := l.peer("alice")
		err := second.Init(context.Background(), t.Logf)
		if !errors.Is(err, membership.ErrNameTaken) || !strings.Contains(err.Error(), alice.membership().Addr()) {
			t.Errorf("got %v, want %v with the address", err, membership.ErrNameTaken)
		}
		if second.membership() != nil {
			t.Error("the refused peer is still a member")
		}
		l.roster("alice")
		alice.sees("alice")
	})
}

func TestLoadOnTheServiceStaysConstant(t *testing.T) {
	inLab(t, func(l *testLab) {
		var peers []*testPeer
		for i := range 20 {
			peers = append(peers, l.joined(fmt.Sprintf("p%02d", i)))
		}
		for _, p := range peers {
			eventually(t, func() error {
				if n := p.Alive(); n != 20 {
					return fmt.Errorf("%s sees %d", p.Name(), n)
				}
				return nil
			})
		}
		l.roster("p00", "p01")
		peers[0].leave()
		l.roster("p01", "p02")
		<-time.After(time.Minute)
		l.calls.mu.Lock()
		defer l.calls.mu.Unlock()
		// p02 and p03 are the min_refill_candidates=2 oldest that are not held. When p03 was first, p02 has
		// taken the place from it, and p03 asks once more when its lease is not renewed.
		got := l.calls.refills
		if len(got) != 2 || got["p02"] != 1 || got["p03"] < 1 || got["p03"] > 2 {
			t.Errorf("calls of Refill: %v", got)
		}
	})
}

func TestCrashedBootstrapPeerIsReplacedWhenItsLeaseEnds(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, _, carol := l.joined("alice"), l.joined("bob"), l.joined("carol")
		carol.sees("alice", "bob", "carol")
		alice.crash()
		carol.sees("bob", "carol")
		l.roster("bob", "carol")
	})
}

func TestRosterIsFilledAgainAfterTheServiceLostIt(t *testing.T) {
	inLab(t, func(l *testLab) {
		l.joined("alice")
		l.joined("bob")
		l.joined("carol")
		l.stopService()
		l.startService()
		l.roster("alice", "bob")
	})
}

// Killing a whole lab and starting it again leaves a roster that names only the dead.
func TestNewcomersBehindADeadRosterFindEachOther(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		alice.crash()
		bob.crash()
		carol, dave := l.joined("carol"), l.joined("dave")
		l.roster("carol", "dave")
		carol.sees("carol", "dave")
		dave.sees("carol", "dave")
	})
}

func TestOneKeeperForEachPeer(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{kept: Remembered{Members: []Acquaintance{{Addr: "10.0.0.99:1"}}}}
		l.stopService()
		alice := l.peer("alice", func(_ *Config, d *Deps) { d.Memory = memory })
		for range 2 {
			alice.mustInit()
		}
		alice.leave()
		l.startService()
		<-time.After(time.Minute)
		l.roster() // nobody renews an entry of a peer that has left
	})
}

func TestLeaveEndsAStepThatRuns(t *testing.T) {
	inLab(t, func(l *testLab) {
		l.stopService()
		alice := l.peer("alice")
		done := make(chan error, 1)
		go func() { done <- alice.Init(context.Background(), t.Logf) }()
		<-time.After(time.Minute)
		if err := alice.Leave(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("init ended with %v", err)
		}
		l.startService()
	})
}

func TestServiceThatIsDownIsWaitedFor(t *testing.T) {
	inLab(t, func(l *testLab) {
		l.stopService()
		alice := l.peer("alice", func(c *Config, _ *Deps) { c.BootstrapTimeout = 10 * time.Second })
		var said []string
		say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
		began := time.Now()
		err := alice.Init(context.Background(), say)
		if !errors.Is(err, ErrBootstrapTimeout) || time.Since(began).Round(time.Second) != 10*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		if len(said) < 3 || !strings.Contains(said[0], serviceAddr) {
			t.Errorf("said %q, want the address, several times", said)
		}
		done := make(chan error, 1)
		bob := l.peer("bob")
		go func() { done <- bob.Init(context.Background(), t.Logf) }()
		<-time.After(20 * time.Second)
		l.startService()
		if err := <-done; err != nil {
			t.Error(err)
		}
		bob.sees("bob")
	})
}

func TestRememberedMembersStandInForTheService(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{}
		alice := l.joined("alice")
		bob := l.joined("bob", func(_ *Config, d *Deps) { d.Memory = memory })
		bob.sees("alice", "bob")
		bob.leave()
		l.stopService()
		again := l.joined("bob", func(_ *Config, d *Deps) { d.Memory = memory })
		again.sees("alice", "bob")
		alice.sees("alice", "bob")
		l.startService()
		l.roster("alice", "bob")
	})
}

// A peer that ends soon after its start knows all the same whom it has met.
func TestWhoWasMetIsRememberedAtOnce(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{}
		l.joined("alice")
		l.joined("bob")
		l.joined("carol")
		dave := l.joined("dave", func(_ *Config, d *Deps) { d.Memory = memory })
		dave.sees("alice", "bob", "carol", "dave")
		<-time.After(50 * time.Millisecond)
		if r, err := memory.Load(); err != nil || len(r.Members) != 3 {
			t.Errorf("remembered are %v, %v, want the addresses of three", r, err)
		}
	})
}

// TestASlowDiskDoesNotHoldUpTheView checks that members are seen while what is remembered is being written, and that the newest is
// what stays.
func TestASlowDiskDoesNotHoldUpTheView(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{slow: make(chan struct{})}
		alice := l.joined("alice", func(_ *Config, d *Deps) { d.Memory = memory })
		bob, carol := l.joined("bob"), l.joined("carol")
		alice.sees("alice", "bob", "carol")
		close(memory.slow)
		alice.leave()
		r, err := memory.Load()
		if want := []Acquaintance{{"bob", bob.membership().Addr()}, {"carol", carol.membership().Addr()}}; err != nil || !slices.Equal(r.Members, want) {
			t.Errorf("remembered are %v, %v, want %v", r, err, want)
		}
	})
}

func TestStepByStepAndWrongOrder(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.peer("alice")
		table, err := command.New(alice.Commands()...)
		if err != nil {
			t.Fatal(err)
		}
		do := func(line string) error {
			x := command.Executor{Table: table}
			return x.Execute(context.Background(), line, &app.Env{Out: io.Discard}).Err
		}
		for _, tt := range []struct{ line, want string }{
			{"bootstrap join", "first: member create"},
			{"member start", "first: member create"},
			{"member join", "first: member start"},
			{"notes start", "first: member join"},
			{"member leave", "in no group"},
			{"member configure probe-timeout=1h", "probe"},
			{"member configure --profile fast probe-interval=300ms", ""},
			{"member create", ""},
			{"member configure probe-interval=1s", ""},
			{"bootstrap join", ""},
			{"member start", ""},
			{"notes start", "first: member join"},
			{"member join", ""},
			{"notes start", ""},
			{"notes start", ""},
			{"init", ""},
			{"member info bob", `no member is called "bob"`},
			{"bootstrap config --max-peers 5", ""},
			{"bootstrap reset", ""},
			{"bootstrap refill", ""},
			{"notes stop", ""},
			{"member leave", ""},
			{"init", ""},
		} {
			err := do(tt.line)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s: got %v, want %q in it", tt.line, err, tt.want)
			}
		}
		alice.sees("alice")
	})
}

func TestFailedInitIsUndone(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		bob := l.peer("bob")
		bob.app.refuse = errors.New("no disk")
		if err := bob.Init(context.Background(), t.Logf); err == nil || !strings.Contains(err.Error(), "notes start: no disk") {
			t.Errorf("got %v", err)
		}
		alice.sees("alice")
		l.roster("alice")
		bob.app.refuse = nil
		bob.mustInit()
		alice.sees("alice", "bob")
	})
}

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "two words", "tab\t", "a,b", "\x1b[31mred", "\xff", "--flag", strings.Repeat("x", 65), `"q"`} {
		if checkName(name) == nil {
			t.Errorf("%q was taken", name)
		}
	}
	for _, name := range []string{"alice", "peer-1", "Zoë", "玲", strings.Repeat("x", 64)} {
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

type testMemory struct {
	slow chan struct{} // when not nil, Save waits until it is closed
	mu   sync.Mutex
	kept Remembered
}

func (m *testMemory) Load() (Remembered, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept, nil
}

func (m *testMemory) Save(r Remembered) error {
	if m.slow != nil {
		<-m.slow
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = r
	return nil
}
