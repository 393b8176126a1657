package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"counter": main}) }

// TestScripts runs testdata/script/*.txt over the real binary: the suite is among them.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_STATE_HOME", e.WorkDir)
			dir, err := os.Getwd()
			e.Setenv("SUITE", dir)
			return err
		},
		RequireExplicitExec: true,
	})
}

// replica is an app.Peer that keeps its data for itself, until they are merged into those of another.
type replica struct {
	app.Peer // what the counter does not use
	id       string
	data     map[string]app.Entry
	wall     int64
	events   []map[string]string
}

func (r *replica) Self() app.Member { return app.Member{ID: r.id} }
func (r *replica) Data() app.Data   { return r }
func (r *replica) Emit(e *eventv1.Event) {
	r.events = append(r.events, e.GetCustom().GetFields())
}

func (r *replica) Set(key string, value []byte) error {
	r.wall++
	r.data[key] = app.Entry{Key: key, Value: slices.Clone(value), Stamp: app.Stamp{Wall: r.wall, Node: r.id}}
	return nil
}

func (r *replica) Get(key string) ([]byte, bool) { e, ok := r.data[key]; return e.Value, ok }
func (r *replica) Delete(key string) error       { delete(r.data, key); return nil }

func (r *replica) Entries() (out []app.Entry) {
	for _, e := range r.data {
		out = append(out, e)
	}
	return out
}

// merge takes over what is newer, as peerlab does, and tells the counter.
func (r *replica) merge(from *replica, c *counter) {
	for key, e := range from.data {
		if mine, ok := r.data[key]; !ok || e.Stamp.Compare(mine.Stamp) > 0 {
			r.data[key] = e
			r.wall = max(r.wall, e.Stamp.Wall)
			c.Changed(e)
		}
	}
}

func call(c *counter, line string, args map[string][]string) (any, error) {
	for _, s := range c.Commands() {
		if s.Name == line {
			set := map[string]bool{}
			for name := range args {
				set[name] = true
			}
			if _, ok := args["by"]; !ok {
				args["by"] = nil
			}
			return s.Run(context.Background(), &app.Env{}, app.NewArgs(args, set))
		}
	}
	return nil, fmt.Errorf("no command %q", line)
}

// Whoever counts what, and whoever hears of whom in whatever order: in the end all have the same sum, and nothing is lost
// or counted twice.
func TestCountersConverge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const n = 4
		var replicas [n]*replica
		var counters [n]*counter
		for i := range n {
			replicas[i] = &replica{id: fmt.Sprint("peer-", i), data: map[string]app.Entry{}}
			counters[i] = &counter{}
			if err := counters[i].Start(context.Background(), replicas[i]); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]int{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i, j := rapid.IntRange(0, n-1).Draw(t, "i"), rapid.IntRange(0, n-1).Draw(t, "j")
			name, by := rapid.SampledFrom([]string{"visits", "a/b"}).Draw(t, "name"), rapid.IntRange(0, 9).Draw(t, "by")
			args := map[string][]string{"name": {name}, "by": {fmt.Sprint(by)}}
			var err error
			switch rapid.SampledFrom([]string{"add", "sub", "merge"}).Draw(t, "step") {
			case "add":
				want[name] += by
				_, err = call(counters[i], "counter add", args)
			case "sub":
				want[name] -= by
				_, err = call(counters[i], "counter sub", args)
			default:
				replicas[i].merge(replicas[j], counters[i])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // everybody hears of everything
			for i := range n {
				for j := range n {
					replicas[i].merge(replicas[j], counters[i])
				}
			}
		}
		for name, sum := range want {
			for i := range n {
				if got, err := call(counters[i], "counter value", map[string][]string{"name": {name}}); err != nil || got != sum {
					t.Fatalf("%s at %d is %v, %v; want %d", name, i, got, err, sum)
				}
				if got := counters[i].names(); len(got) != len(want) || !slices.ContainsFunc(got, func(s app.Suggestion) bool { return s.Text == name }) {
					t.Fatalf("offers %v", got)
				}
			}
		}
	})
}

func TestNotStarted(t *testing.T) {
	t.Parallel()
	c := &counter{}
	if _, err := call(c, "counter add", map[string][]string{"name": {"x"}}); err == nil || !strings.Contains(err.Error(), "not started") {
		t.Error(err)
	}
	if c.names() != nil {
		t.Error("there are names")
	}
}
