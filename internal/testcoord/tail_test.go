package testcoord

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wrote is a process of which only what it wrote is known.
type wrote struct {
	Process
	lines []string
}

func (w wrote) Tail(n int) []string { return w.lines[max(0, len(w.lines)-n):] }

// placed is one that says first where it is, whatever else is wanted of it.
type placed struct{ wrote }

func (p placed) Tail(n int) []string { return append([]string{"on node 7"}, p.wrote.Tail(n)...) }

func TestTailShowsWhatAProcessDiedOf(t *testing.T) {
	t.Parallel()
	lines := func(format string, n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf(format, i+1))
		}
		return out
	}
	log, frames := lines("log %d", 30), lines("frame %d", 100)
	died := func(first string) []string {
		all := append(append(append([]string{}, log...), first), frames...)
		return all
	}
	want := func(first string) []string {
		out := append(append([]string{}, log[27:]...), first)
		return append(append(out, frames[:23]...), "… and 77 more lines")
	}
	for name, tt := range map[string]struct{ wrote, want []string }{
		"nothing":           {nil, nil},
		"few lines":         {log[:5], log[:5]},
		"a log":             {log, log[18:]},
		"a panic":           {died("panic: boom [recovered]"), want("panic: boom [recovered]")},
		"a runtime error":   {died("fatal error: all goroutines are asleep - deadlock!"), want("fatal error: all goroutines are asleep - deadlock!")},
		"a signal":          {died("SIGQUIT: quit"), want("SIGQUIT: quit")},
		"a panic of before": {append([]string{"panic: recovered long ago"}, died("panic: now")...), want("panic: now")},
		"a panic alone":     {append([]string{"panic: boom"}, frames[:24]...), append(append([]string{"panic: boom"}, frames[:23]...), "… and 1 more line")},
		"talk of a panic":   {append(died("no panic: here"), log...), log[18:]},
	} {
		if d := cmp.Diff(tt.want, tail(wrote{lines: tt.wrote})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if got := tail(placed{wrote{lines: log}}); len(got) != 13 || got[0] != "on node 7" {
		t.Errorf("of a process that says where it is: %q", got)
	}
	if got := tail(nil); got != nil {
		t.Errorf("of no process: %s", strings.Join(got, " "))
	}
}
