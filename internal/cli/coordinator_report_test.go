package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// TestEventsOfAPeerStayInItsOrder aligns events whose clock disagrees with their numbers, of a peer that was started again.
func TestEventsOfAPeerStayInItsOrder(t *testing.T) {
	t.Parallel()
	entry := func(at, mono time.Duration, life int, seq uint64) invariant.Entry {
		return invariant.Entry{Peer: "alice", At: at, Life: life, Event: &eventv1.Event{Node: "alice", Seq: seq, MonoNs: int64(mono)}}
	}
	log := invariant.Log{Entries: []invariant.Entry{
		entry(11, 10, 0, 1), entry(41, 40, 0, 2), entry(42, 30, 0, 3), entry(43, 20, 0, 4), entry(100, 5, 1, 8), entry(110, 15, 1, 9),
	}}
	var got []string
	for _, e := range alignedEvents(log) {
		got = append(got, fmt.Sprintf("%d@%d/%d", e.GetSeq(), e.At, e.Life))
	}
	if got, want := strings.Join(got, " "), "1@11/0 2@41/0 3@41/0 4@41/0 8@100/1 9@110/1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReportsAreTriedBeforeTheRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, tt := range []struct {
		reportFlags
		want string
	}{
		{reportFlags{junit: in("none", "x.xml")}, "--junit " + in("none", "x.xml") + ": folder " + in("none") + ": "},
		{reportFlags{tap: in("file", "x.tap")}, "--tap " + in("file", "x.tap") + ": folder " + file + ": "},
		{reportFlags{json: dir}, "--json " + dir + ": that is a folder"},
		{reportFlags{dir: in("file", "report")}, "--report " + in("file", "report") + ": "},
		{reportFlags{junit: in("x.xml"), tap: in("x.tap"), json: in("x.jsonl"), dir: in("deep", "report")}, ""},
	} {
		err := tt.check()
		if (err == nil) != (tt.want == "") || err != nil && (!strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), ".peerlab-")) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	if left, err := filepath.Glob(in(".*")); err != nil || len(left) > 0 {
		t.Errorf("%q were left (%v)", left, err)
	}
}
