package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

var update = flag.Bool("update", false, "write the files in testdata")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, d)
	}
}

func TestWriters(t *testing.T) {
	t.Parallel()
	r := partitionRun()
	var junit, tap, two, events bytes.Buffer
	for _, err := range []error{WriteJUnit(&junit, r), WriteTAP(&tap, r), WriteTAP(&two, r, &Run{Suite: "empty"}), WriteEvents(&events, r.Events[:40])} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "partition.xml", junit.Bytes())
	golden(t, "partition.tap", tap.Bytes())
	golden(t, "two.tap", two.Bytes())
	golden(t, "partition.jsonl", events.Bytes())
}

func TestReportIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*Run{"partition": partitionRun(), "empty": {Suite: "empty", Peers: []string{}, Steps: []Step{}}} {
		dir := filepath.Join(t.TempDir(), "deep", "report")
		if err := Write(r, dir); err != nil {
			t.Fatal(err)
		}
		again, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, again, protocmp.Transform()); d != "" {
			t.Errorf("%s (-written +read):\n%s", name, d)
		}
		second := filepath.Join(t.TempDir(), "again")
		if err := Write(again, second); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 5 {
			t.Fatalf("there are %d files (%v), want 5", len(files), err)
		}
		for _, f := range files {
			one, err1 := os.ReadFile(filepath.Join(dir, f.Name()))
			two, err2 := os.ReadFile(filepath.Join(second, f.Name()))
			if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
				t.Errorf("%s of %s is another file when it is made again (%v, %v)", f.Name(), name, err1, err2)
			}
		}
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Write(partitionRun(), dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileEvents), []byte(`{"atNs":1,"node":"a"}`+"\n{\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "events.jsonl: line 2") {
		t.Errorf("got %v, want the file and the line", err)
	}
	if _, err := Read(filepath.Join(dir, "none")); err == nil {
		t.Error("a report was read where there is none")
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	var values []MeasureValue
	for i := range 20 {
		values = append(values, MeasureValue{"p", time.Duration(20-i) * ms})
	}
	if m := NewMeasure("x", values); m.P50 != 10*ms || m.P95 != 19*ms || m.Max != 20*ms {
		t.Errorf("p50 %s, p95 %s, max %s", m.P50, m.P95, m.Max)
	}
	if m := NewMeasure("none", nil); m.Max != 0 {
		t.Errorf("the largest of nothing is %s", m.Max)
	}
}

// TestPageIsBounded feeds more events and more text than a page may hold.
func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	g := newGenerator(1, "flood", 2)
	for i := range PageEvents + 500 {
		text := strings.Repeat(string(rune('a'+i%26)), 300) + time.Duration(i).String()
		g.emit(time.Duration(i)*time.Microsecond, "alice", &eventv1.Event{What: &eventv1.Event_Shown{Shown: &eventv1.Shown{Text: text}}})
		if i%1000 == 0 {
			g.message(time.Duration(i)*time.Microsecond, "alice", text, []string{"bob"}, nil)
		}
	}
	r := g.finish(time.Minute)
	b := encode(r.Events)
	if want := PageEvents + 500; b.Left != want {
		t.Errorf("%d events are left out, want all %d that are no picture", b.Left, want)
	}
	var page bytes.Buffer
	if err := WritePage(&page, r); err != nil {
		t.Fatal(err)
	}
	r.Events = r.Events[:PageEvents]
	if err := WritePage(&page, r); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 10<<20 {
		t.Errorf("two pages take %d bytes", page.Len())
	}
}
