package testcoord

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestFreeze(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
all noop
lab freeze bob
lab freeze bob
bob noop
expect bob event fault active=true
alice noop
lab thaw bob
lab thaw bob
bob noop
expect bob event fault x 2
lab freeze bob,carol
lab kill bob
lab restart bob
bob noop
`, Options{KeepGoing: true}, nil)
	if err != nil {
		t.Error(err)
	}
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 FAIL", "5 FAIL", "6 ok", "7 ok", "8 ok", "9 FAIL", "10 ok", "11 ok", "12 ok", "13 ok", "14 ok", "15 ok")
	wantOutput(t, l, "bob is frozen already", "bob is frozen", "bob is not frozen")
	if len(r.Problems) > 0 {
		t.Errorf("carol, who is frozen to the end: %q", r.Problems)
	}
}

// control is a bootstrap service that remembers what was done to it.
type control struct {
	mu  sync.Mutex
	did []string
}

func (c *control) note(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did = append(c.did, what)
	if what == "slow 2s" {
		return errors.New("it is slow enough")
	}
	return nil
}

func (c *control) Start(context.Context) error                   { return c.note("start") }
func (c *control) Stop(context.Context) error                    { return c.note("stop") }
func (c *control) Wipe(context.Context) error                    { return c.note("wipe") }
func (c *control) Slow(_ context.Context, d time.Duration) error { return c.note("slow " + d.String()) }

func TestBootstrapControl(t *testing.T) {
	t.Parallel()
	c := &control{}
	l, r, err := run(t, `peers alice
lab bootstrap stop
lab bootstrap start
lab bootstrap slow 300ms
lab bootstrap slow 0s
lab bootstrap wipe
lab bootstrap slow 2s
`, Options{Control: c}, nil)
	if err != nil || r.OK() {
		t.Errorf("%v, %v", r.OK(), err)
	}
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 ok", "5 ok", "6 ok", "7 FAIL")
	wantOutput(t, l, "it is slow enough")
	want := []string{"stop", "start", "slow 300ms", "slow 0s", "wipe", "slow 2s"}
	if len(c.did) != len(want) {
		t.Fatalf("%q", c.did)
	}
	for i := range want {
		if c.did[i] != want[i] {
			t.Errorf("%q, want %q", c.did, want)
		}
	}
	_, r, _ = run(t, "alice noop\nlab bootstrap stop\n", Options{}, nil)
	if r.OK() {
		t.Error("somebody else's service was stopped")
	}
}
