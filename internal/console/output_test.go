package console

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testScreen remembers its lines.
type testScreen struct {
	mu    sync.Mutex
	lines []string
}

func (s *testScreen) Line(line string, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func TestOutputCleansAndSplits(t *testing.T) {
	t.Parallel()
	var out, logs bytes.Buffer
	o := NewOutput(&out, &logs)
	o.Println("from a peer \x1b[2J\u202e\r\nend")
	w := o.Command()
	for _, part := range []string{"one\ntw", "o\r\n", "\x1b]0;title\athree"} {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	w.Flush()
	_, _ = io.WriteString(o.Log(), "{\"json\":\"\u202e\"}\n")
	if diff := cmp.Diff("one\ntwo\n]0;titlethree\n", out.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("from a peer [2J end\n{\"json\":\"\u202e\"}\n", logs.String()); diff != "" {
		t.Errorf("the log of a file was changed, or a line that comes by itself is not beside it:\n%s", diff)
	}
}

func TestOutputGoesToTheScreen(t *testing.T) {
	t.Parallel()
	var out, logs bytes.Buffer
	o := NewOutput(&out, &logs)
	s := &testScreen{}
	w := o.Command()
	_, _ = io.WriteString(w, "begun ")
	o.Attach(s)
	_, _ = io.WriteString(w, "and ended\n")
	o.Println("a line")
	_, _ = io.WriteString(o.Log(), "logged\n")
	o.Detach()
	o.Println("after")
	if diff := cmp.Diff([]string{"begun and ended", "a line"}, s.lines); diff != "" {
		t.Error(diff)
	}
	if out.String() != "" || logs.String() != "logged\nafter\n" {
		t.Errorf("out %q, log %q: the log is not on the same terminal", out.String(), logs.String())
	}
}

// What is muted is counted, whoever writes it.
func TestMutedLinesAreCounted(t *testing.T) {
	t.Parallel()
	var out, aside bytes.Buffer
	o := NewOutput(&out, &aside)
	o.Mute(true)
	o.Println("one")
	_, _ = io.WriteString(o.Aside(), "two\n")
	_, _ = io.WriteString(o.Command(), "a result\n")
	if on, unseen := o.Muted(); !on || unseen != 2 {
		t.Errorf("muted %v, %d not shown", on, unseen)
	}
	o.Mute(false)
	_, _ = io.WriteString(o.Aside(), "three\n")
	if out.String() != "a result\n" || aside.String() != "three\n" {
		t.Errorf("out %q, aside %q", out.String(), aside.String())
	}
}

func TestCleanKeepingColor(t *testing.T) {
	t.Parallel()
	got := cleanKeepingColor("\x1b[36mINF\x1b[0m joined \x1b[2J\x1b]0;x\a \x1b[1;31merr")
	if want := "\x1b[36mINF\x1b[0m joined [2J]0;x \x1b[1;31merr"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinesOfManyStayWhole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := NewOutput(&out, &out)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			w := o.Command()
			for range 100 {
				_, _ = fmt.Fprintf(w, "writer %d", i)
				_, _ = fmt.Fprint(w, " ends\n")
				o.Println("whole")
			}
		})
	}
	writers.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 1600 {
		t.Errorf("%d lines, want 1600", len(lines))
	}
	for _, l := range lines {
		if l != "whole" && !(strings.HasPrefix(l, "writer ") && strings.HasSuffix(l, " ends") && len(l) == len("writer 0 ends")) {
			t.Errorf("torn line %q", l)
		}
	}
}
