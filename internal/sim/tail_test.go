package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTail checks that a long log begins with a whole line, behind one that says how much is missing, and that no byte is counted twice.
func TestTail(t *testing.T) {
	t.Parallel()
	var log tail
	var all strings.Builder
	for i := range 40_000 {
		line := fmt.Sprintf("line %d of a log\n", i)
		all.WriteString(line)
		_, _ = log.Write([]byte(line[:5])) // in pieces
		_, _ = log.Write([]byte(line[5:]))
	}
	head, kept, _ := strings.Cut(log.text(), "\n")
	if want := fmt.Sprintf("(%d bytes before this were left out: ", all.Len()-len(kept)); !strings.HasPrefix(head, want) {
		t.Errorf("it begins with %q, and not with %q", head, want)
	}
	if !strings.HasSuffix(all.String(), "\n"+kept) {
		t.Errorf("it goes on with %.40q", kept)
	}
	if len(kept) < tailMost/2-100 || len(kept) > tailMost {
		t.Errorf("%d bytes were kept", len(kept))
	}
	if d := cmp.Diff([]string{"line 39998 of a log", "line 39999 of a log"}, log.lines(2)); d != "" {
		t.Error(d)
	}
}

// TestShortTail checks that a log that was kept as it is says no more, up to the most that is kept.
func TestShortTail(t *testing.T) {
	t.Parallel()
	var log tail
	if got := log.lines(3); got != nil || log.text() != "" {
		t.Errorf("of nothing, it has %q", got)
	}
	text := strings.Repeat("x\n", tailMost/2)
	_, _ = log.Write([]byte(text))
	if log.text() != text {
		t.Errorf("it begins with %.40q", log.text())
	}
}

// TestTailOfOneLine checks that of a line that is longer than what is kept its end is there, and that lines does not count the one that says so.
func TestTailOfOneLine(t *testing.T) {
	t.Parallel()
	var log tail
	_, _ = log.Write([]byte("first\n" + strings.Repeat("x", 2*tailMost) + "\n"))
	if got := log.lines(3); len(got) != 1 || len(got[0]) != tailMost/2-1 || strings.Trim(got[0], "x") != "" {
		t.Errorf("%d lines, the first %.40q", len(got), got)
	}
	if want := fmt.Sprintf("(%d bytes before this ", 2*tailMost+7-tailMost/2); !strings.HasPrefix(log.text(), want) {
		t.Errorf("it begins with %.40q, and not with %q", log.text(), want)
	}
}
