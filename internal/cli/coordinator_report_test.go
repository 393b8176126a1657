package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/report"
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

// TestEventsOfSeveralRuns tells in each line which run it is of, and in the file of one run as little as ever. Who reads events reads both.
func TestEventsOfSeveralRuns(t *testing.T) {
	t.Parallel()
	run := func(seqs ...uint64) *report.Run {
		r := &report.Run{}
		for _, seq := range seqs {
			r.Events = append(r.Events, report.Event{At: 7, Event: &eventv1.Event{Node: "alice", Seq: seq}})
		}
		return r
	}
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{[]string{""}, `{"atNs":7,"seq":"1","node":"alice"}` + "\n" + `{"atNs":7,"seq":"2","node":"alice"}` + "\n"},
		{[]string{"a-1", "a-2", "b_2-1"}, `{"run":"a-1","atNs":7,"seq":"1","node":"alice"}` + "\n" + `{"run":"a-1","atNs":7,"seq":"2","node":"alice"}` + "\n" +
			`{"run":"b_2-1","atNs":7,"seq":"1","node":"alice"}` + "\n"},
	} {
		file := filepath.Join(t.TempDir(), "events.jsonl")
		r := reports{flags: reportFlags{json: file}}
		for i, one := range []*report.Run{run(1, 2), run(), run(1)}[:len(tt.names)] {
			if err := r.add(one, tt.names[i], "title"); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.write(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s (%v), want\n%s", got, err, tt.want)
		}
		if events, err := report.ReadEvents(bytes.NewReader(got)); err != nil || len(events) != strings.Count(tt.want, "\n") || events[0].At != 7 {
			t.Errorf("read as %v (%v)", events, err)
		}
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
