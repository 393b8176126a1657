package testcoord

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/command"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	const src = `# A comment   stays.
suite "a   b"
peers    alice  bob
  alice   init   # as it is
all init

! alice  fail
!   alice  fail
n = alice   member count
expect $n  = 3
alice,bob    msg hello
[sim]   alice msg  hello
section	"tab"
repeat 3 as i
   alice  noop
end
alice msg "never closed
invariant   no-duplicates`
	const want = `# A comment   stays.
suite   "a   b"
peers   alice  bob
  alice   init   # as it is
all     init

! alice fail
!   alice fail
n =     alice   member count
expect  $n  = 3
alice,bob msg hello
[sim]   alice   msg  hello
section "tab"
repeat  3 as i
   alice   noop
end
alice msg "never closed
invariant no-duplicates`
	if d := cmp.Diff(want, string(Format([]byte(src)))); d != "" {
		t.Error(d)
	}
	const long = "coordinator noop\nall  noop\r\n"
	if got := string(Format([]byte(long))); got != "coordinator noop\nall         noop\r\n" {
		t.Errorf("%q", got)
	}
}

// TestExamplesAreFormatted keeps what people copy from as the formatter would write it.
func TestExamplesAreFormatted(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../examples/*.lab")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(src), string(Format(src))); d != "" {
			t.Errorf("%s (-file +formatted): coordinator fmt -w does it:\n%s", file, d)
		}
	}
}

// rawWords are the words of each line as they are typed.
func rawWords(src []byte) [][]string {
	var out [][]string
	for l := range strings.SplitSeq(string(src), "\n") {
		words, err := command.SplitScript(strings.TrimSuffix(l, "\r"))
		raw := []string{}
		if err != nil {
			raw = []string{l}
		}
		for _, w := range words {
			raw = append(raw, w.Raw)
		}
		out = append(out, raw)
	}
	return out
}

// FuzzFormat checks that to format twice changes nothing more, and that a suite stays the same suite.
func FuzzFormat(f *testing.F) {
	files, _ := filepath.Glob("testdata/errors/*.lab")
	examples, _ := filepath.Glob("../../examples/*.*")
	for _, file := range append(files, examples...) {
		if src, err := os.ReadFile(file); err == nil {
			f.Add(src)
		}
	}
	table := fakeTable(nil)
	f.Fuzz(func(t *testing.T, src []byte) {
		once := Format(src)
		if twice := Format(once); !bytes.Equal(once, twice) {
			t.Fatalf("once  %q\ntwice %q", once, twice)
		}
		if d := cmp.Diff(rawWords(src), rawWords(once)); d != "" {
			t.Fatal(d)
		}
		before, errBefore := Parse("x.lab", src, table)
		after, errAfter := Parse("x.lab", once, table)
		if len(once) > maxSource || (errBefore == nil) != (errAfter == nil) {
			if len(once) <= maxSource && longest(once) <= maxLine {
				t.Fatalf("%v\n%v", errBefore, errAfter)
			}
			return
		}
		if errBefore == nil {
			if d := cmp.Diff(outline(before.Steps), outline(after.Steps)); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func longest(src []byte) int {
	n := 0
	for l := range bytes.SplitSeq(src, []byte("\n")) {
		n = max(n, len(l))
	}
	return n
}

// outline is the steps without the blanks in them.
func outline(steps []*Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, strings.Join(strings.Fields(s.Text), " "))
		out = append(out, outline(s.Body)...)
	}
	return out
}
