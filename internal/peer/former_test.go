package peer

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/membership"
)

func remembering(m *testMemory) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) { d.Memory = m }
}

// When all that the roster names have crashed, who starts again, elsewhere, takes its own place over, and need not wait for leases.
func TestWhoCrashedTakesItsPlaceAgain(t *testing.T) {
	inLab(t, func(l *testLab) {
		memories := []*testMemory{{}, {}}
		names := []string{"alice", "bob"}
		var crashed []*testPeer
		for i, name := range names {
			crashed = append(crashed, l.joined(name, remembering(memories[i])))
		}
		l.roster(names...)
		<-time.After(50 * time.Millisecond) // what is remembered is written
		for _, p := range crashed {
			p.crash()
		}
		begun := time.Now()
		alice := l.joined("alice", remembering(memories[0]))
		bob := l.joined("bob", remembering(memories[1]))
		alice.sees(names...)
		bob.sees(names...)
		l.roster(names...)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("they found each other after %s", took)
		}
	})
}

// Who finds only members in the roster that have crashed looks again soon: they may be about to come back.
func TestNewcomersBehindADeadRosterLookAgainSoon(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{}
		alice, carol := l.joined("alice", remembering(memory)), l.joined("carol")
		l.roster("alice", "carol")
		<-time.After(50 * time.Millisecond)
		alice.crash()
		carol.crash()
		bob := l.joined("bob") // there is no place for him
		<-time.After(time.Second)
		begun := time.Now()
		l.joined("alice", remembering(memory))
		bob.sees("alice", "bob")
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("bob found alice after %s", took)
		}
	})
}

// Another process of the same name may have the same memory. It leaves the one that lives its place, finds it there, and is refused.
func TestANamesakeKeepsItsPlace(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{}
		alice := l.joined("alice", remembering(memory))
		l.roster("alice")
		<-time.After(50 * time.Millisecond)
		other := l.peer("alice", remembering(memory))
		if err := other.Init(context.Background(), t.Logf); !errors.Is(err, membership.ErrNameTaken) {
			t.Errorf("another alice: %v", err)
		}
		alice.sees("alice")
		l.roster("alice")
		if r, _ := memory.Load(); r.ID != alice.membership().Self().ID {
			t.Errorf("what both remember has the place of %s, who was refused", r.ID)
		}
	})
}

// Whom an earlier start knew is remembered on, and tried only as long as this start has met nobody: another group may be there by now.
func TestOldAcquaintancesAreKeptAndNotTried(t *testing.T) {
	inLab(t, func(l *testLab) {
		const old = "10.0.0.99:1"
		memory := &testMemory{kept: Remembered{Members: []Acquaintance{{Addr: old}}}}
		alice := l.joined("alice", remembering(memory))
		if !slices.Contains(alice.seeds(), old) {
			t.Error("who is alone does not try whom it knew")
		}
		l.joined("bob")
		alice.sees("alice", "bob")
		<-time.After(5 * time.Second)
		r, _ := memory.Load()
		if slices.Contains(alice.seeds(), old) || !slices.Contains(r.Members, Acquaintance{Addr: old}) {
			t.Errorf("tried are %v, remembered %v", alice.seeds(), r.Members)
		}
	})
}
