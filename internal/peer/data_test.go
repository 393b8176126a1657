package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
)

// watcher is a recorder that is told of changes of data, too.
type watcher struct{ *recorder }

func (w watcher) Changed(e app.Entry) {
	if e.Deleted {
		w.note("deleted %s", e.Key)
		return
	}
	w.note("%s=%s", e.Key, e.Value)
}

func watching(_ *Config, d *Deps) { d.Apps = []app.App{watcher{d.Apps[0].(*recorder)}} }

// do runs a line as the console does, and returns the result as JSON.
func (p *testPeer) do(line string) (string, error) {
	p.lab.t.Helper()
	table, err := command.New(p.Commands()...)
	if err != nil {
		p.lab.t.Fatal(err)
	}
	o := (&command.Executor{Table: table}).Execute(context.Background(), line, &app.Env{Out: io.Discard})
	return o.JSON, o.Err
}

func (p *testPeer) mustDo(line string) string {
	p.lab.t.Helper()
	result, err := p.do(line)
	if err != nil {
		p.lab.t.Fatalf("%s: %v", line, err)
	}
	return result
}

// dataEvents are those of the log, as "key=value by name".
func (p *testPeer) dataEvents() []string {
	var out []string
	for r := p.deps.Events.Read(0); ; {
		e, _ := r.Try()
		if e == nil {
			return out
		}
		if f := event.Fields(e); event.Kind(e) == "data" {
			out = append(out, fmt.Sprintf("%s %s=%s by %s, deleted %s", f["app"], f["key"], f["value"], f["by"], f["deleted"]))
		}
	}
}

func TestConsoleDataAreReplicated(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		alice.mustDo("broadcast add colour light blue")
		want := []string{"broadcast colour=light blue by alice, deleted false"}
		for _, p := range []*testPeer{alice, bob} {
			eventually(t, func() error {
				if d := cmp.Diff(want, p.dataEvents()); d != "" {
					return errors.New(d)
				}
				return nil
			})
		}
		if got := bob.mustDo("broadcast list"); !strings.HasPrefix(got, `[{"key":"colour","value":"light blue","by":"alice","written":`) {
			t.Errorf("bob lists %s", got)
		}
		carol := l.joined("carol")
		if got := carol.mustDo("broadcast list"); !strings.Contains(got, "light blue") {
			t.Errorf("carol got %s at init", got)
		}
		carol.mustDo("broadcast del colour")
		carol.mustDo("broadcast del never-heard-of")
		eventually(t, func() error {
			if got := alice.dataEvents(); !slices.Contains(got, "broadcast colour= by carol, deleted true") {
				return fmt.Errorf("alice has %q", got)
			}
			return nil
		})
		if got := alice.mustDo("broadcast list"); got != "[]" {
			t.Errorf("left is %s", got)
		}
	})
}

func TestConsoleDataOfferKeysAndRefuse(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		if err := (data{alice.Peer, consoleData}).Set("evil", []byte("a\x1b[31mred\x1b]0;title\a"+strings.Repeat("x", 99))); err != nil {
			t.Fatal(err)
		}
		table, err := command.New(alice.Commands()...)
		if err != nil {
			t.Fatal(err)
		}
		spec, _ := table.Find([]command.Word{{Text: "broadcast"}, {Text: "del"}})
		offers := spec.Params[0].Complete()
		if len(offers) != 1 || offers[0].Text != "evil" || offers[0].Description != "a[31mred]0;title"+strings.Repeat("x", 23)+"…" {
			t.Errorf("offers %+v", offers)
		}
		if got := alice.mustDo("broadcast list"); !strings.Contains(got, `"a[31mred]0;titlexxx`) {
			t.Errorf("the list shows %s", got)
		}
		for line, want := range map[string]string{
			"broadcast add " + strings.Repeat("k", 129) + " v": "128 is the most",
			"broadcast add key " + strings.Repeat("v", 513):    "512 is the most",
			"broadcast add key":                          "VALUE is missing",
			"broadcast add \"tab\tin key\" v":            "do not print",
			"member leave --timeout -1s":                 "duration",
			"member configure probe-interval=300ms":      "probe-interval: needs restart: member leave, member configure, init",
			"member configure --profile lan heal-max=1m": "in effect now: ",
			"member configure heal-interval=1h":          "heal-max",
		} {
			if _, err := alice.do(line); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40s: got %v, want %q in it", line, err, want)
			}
		}
	})
}

func TestWatcherIsToldWhatIsThereAndWhatChanges(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice", watching), l.joined("bob", watching)
		alice.sees("alice", "bob")
		of := func(p *testPeer) app.Data { return p.apps[0].Data() }
		notes := func(p *testPeer) []string {
			return slices.DeleteFunc(p.app.heard(), func(s string) bool { return strings.Contains(s, " joined") })
		}
		want := func(p *testPeer, want ...string) {
			t.Helper()
			eventually(t, func() error {
				if d := cmp.Diff(want, notes(p)); d != "" {
					return fmt.Errorf("%s (-want +got):\n%s", p.Name(), d)
				}
				return nil
			})
		}
		set := func(p *testPeer, key, value string) {
			t.Helper()
			if err := of(p).Set(key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		set(alice, "a", "1")
		want(bob, "start", "a=1")
		set(bob, "b", "2")
		want(alice, "start", "b=2") // its own write is not told
		bob.mustDo("notes stop")
		if err := of(alice).Delete("a"); err != nil {
			t.Fatal(err)
		}
		set(alice, "c", "3")
		<-time.After(3 * time.Second)
		bob.mustDo("notes start")
		want(bob, "start", "a=1", "stop", "start", "b=2", "c=3")
		alice.mustDo("broadcast add c other") // the data of another application
		set(alice, "c", "4")
		want(bob, "start", "a=1", "stop", "start", "b=2", "c=3", "c=4")
		if v, ok := of(bob).Get("c"); !ok || string(v) != "4" {
			t.Errorf("bob has c=%q, %t", v, ok)
		}
		bob.mustDo("member shutdown")
		if err := of(bob).Set("x", nil); !errors.Is(err, app.ErrNotStarted) {
			t.Errorf("without membership: %v", err)
		}
		if err := of(bob).Delete("x"); !errors.Is(err, app.ErrNotStarted) {
			t.Errorf("without membership: %v", err)
		}
		if got := of(bob).Entries(); got != nil {
			t.Errorf("without membership there is %v", got)
		}
		bob.mustInit() // as a late joiner
		want(bob, "start", "a=1", "stop", "start", "b=2", "c=3", "c=4", "stop", "start", "b=2", "c=4")
	})
}

func TestClockOfAPeer(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		c := alice.apps[0].Clock()
		first := c.Stamp()
		if first.Node != alice.membership().Self().ID || !first.Time().Equal(c.Now()) {
			t.Errorf("got %s at %s", first, c.Now())
		}
		if err := alice.apps[0].Data().Set("x", nil); err != nil {
			t.Fatal(err)
		}
		written := alice.apps[0].Data().Entries()[0].Stamp
		alice.mustDo("member leave")
		if next := c.Stamp(); written.Compare(first) <= 0 || next.Compare(written) <= 0 {
			t.Errorf("stamps are %s, %s, %s", first, written, next)
		}
	})
}

func TestLeaveWithoutTimeSaysSo(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob, carol := l.joined("alice"), l.joined("bob"), l.joined("carol")
		carol.sees("alice", "bob", "carol")
		for p, want := range map[*testPeer]string{carol: "did not spread within 1ms", bob: "said"} {
			line := "member leave --timeout 1ms"
			if p == bob {
				line = "member leave"
			}
			if got := p.mustDo(line); !strings.Contains(got, want) || !strings.Contains(got, "configured") {
				t.Errorf("%s: got %s, want %q in it", p.Name(), got, want)
			}
		}
		alice.sees("alice")
		bob.mustInit()
		alice.sees("alice", "bob")
	})
}

func TestShutdownLooksLikeALoss(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		bob.mustDo("member shutdown-transport")
		eventually(t, func() error {
			if m, err := alice.find("bob"); err != nil || m.State != app.Lost {
				return fmt.Errorf("bob is %s, %w", m.State, err)
			}
			return nil
		})
		bob.mustDo("memberlistdelete") // as the prototype says
		if got := bob.Members(); len(got) > 0 {
			t.Errorf("bob still lists %v", got)
		}
		bob.mustInit()
		alice.sees("alice", "bob")
		bob.mustDo("member shutdown")
		eventually(t, func() error {
			if m, err := alice.find("bob"); err != nil || m.State != app.Lost {
				return fmt.Errorf("bob is %s, %w", m.State, err)
			}
			return nil
		})
	})
}

func TestConfigureWhileRunning(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		fast := alice.Tuning()
		lan, _ := membership.Profile("lan")
		applied, later, err := alice.Configure(lan)
		if err != nil || !slices.Contains(applied, "heal-max") || !slices.Contains(later, "probe-interval") {
			t.Errorf("applied %v, needs restart %v, %v", applied, later, err)
		}
		for _, name := range applied {
			if slices.Contains(later, name) || !slices.Contains(membership.LiveFields(), name) {
				t.Errorf("%s took effect", name)
			}
		}
		got := alice.Tuning()
		if got.HealMax != lan.HealMax || got.ProbeInterval != fast.ProbeInterval {
			t.Errorf("tuning is %+v", got)
		}
		alice.mustDo("member leave")
		if applied, later, err = alice.Configure(lan); err != nil || len(later) > 0 || !slices.Contains(applied, "probe-interval") {
			t.Errorf("after leave: applied %v, needs restart %v, %v", applied, later, err)
		}
		alice.mustInit()
		if d := cmp.Diff(lan, alice.membership().Tuning()); d != "" {
			t.Errorf("the new membership (-want +got):\n%s", d)
		}
		lan.ProbeTimeout = time.Hour
		if _, _, err := alice.Configure(lan); err == nil {
			t.Error("nonsense was taken")
		}
	})
}
