package console

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	h := NewHistory(path)
	for _, l := range []string{"one", "one", " secret", "", "two words", "esc\x1b[2J", "one"} {
		h.Add(l)
	}
	want := []string{"one", "two words", "esc[2J", "one"}
	if diff := cmp.Diff(want, h.Lines()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, NewHistory(path).Lines()); diff != "" {
		t.Errorf("read again:\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got, err := h.Expand(" !es "); got != "esc[2J" || err != nil {
		t.Errorf("blanks around: got %q, %v", got, err)
	}
	for line, want := range map[string]string{
		"!2": "two words", "!!": "one", "!tw": "two words", "!": "!", "no": "no",
	} {
		if got, err := h.Expand(line); got != want || err != nil {
			t.Errorf("%q becomes %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{"!9", "!x"} {
		if got, err := h.Expand(line); err == nil {
			t.Errorf("%q becomes %q", line, got)
		}
	}
	if h.Err() != nil {
		t.Error(h.Err())
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	var text strings.Builder
	for i := range 3*historyCap + 1 {
		_, _ = fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	h := NewHistory(path)
	if n := len(h.Lines()); n != historyCap || h.Lines()[0] != fmt.Sprintf("line %d", 2*historyCap+1) {
		t.Errorf("%d lines from %q", n, h.Lines()[0])
	}
	h.Add("new")
	if n := len(h.Lines()); n != historyCap {
		t.Errorf("%d lines after one more", n)
	}
	if got, err := h.Expand("!2"); got != h.Lines()[0] || err != nil {
		t.Errorf("numbers moved: !2 is %q, %v", got, err)
	}
	data, err := os.ReadFile(path)
	if err != nil || bytes.Count(data, []byte("\n")) != historyCap+1 {
		t.Errorf("%d lines in the file, %v", bytes.Count(data, []byte("\n")), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestHistoryWithoutFile(t *testing.T) {
	t.Parallel()
	h := NewHistory(filepath.Join(t.TempDir(), "no", "such", "folder"))
	h.Add("one")
	h.Add("two")
	if h.Err() == nil || len(h.Lines()) != 2 {
		t.Errorf("%v, %d lines", h.Err(), len(h.Lines()))
	}
	b, _, _ := newTestBackend(t)
	var out bytes.Buffer
	o := b.Execute(WithHistory(context.Background(), h), "history tw", &out)
	if o.Err != nil || out.String() != "NUMBER  LINE\n2       two\n" {
		t.Errorf("%v, %q", o.Err, out.String())
	}
}
