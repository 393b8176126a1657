package testcoord

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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
	seed(f)
	table := fakeTable(nil)
	f.Fuzz(func(t *testing.T, src []byte) {
		once := Format(src)
		if twice := Format(once); !bytes.Equal(once, twice) {
			t.Fatalf("once  %q\ntwice %q", once, twice)
		}
		if d := cmp.Diff(rawWords(src), rawWords(once)); d != "" {
			t.Fatal(d)
		}
		if len(once) > maxSource || longest(once) > maxLine || longest(src) > maxLine {
			return // a limit may be reached by blanks alone
		}
		before, errBefore := Parse("x.lab", src, table)
		after, errAfter := Parse("x.lab", once, table)
		if (errBefore == nil) != (errAfter == nil) {
			t.Fatalf("%v\n%v", errBefore, errAfter)
		}
		if d := cmp.Diff(before, after, sameMeaning()); d != "" {
			t.Fatalf("%q\n%q\n%s", src, once, d)
		}
	})
}

// sameMeaning compares suites but for the blanks of their lines.
func sameMeaning() cmp.Options {
	typed := func(p cmp.Path) bool {
		field, ok := p.Last().(cmp.StructField)
		return ok && (field.Name() == "Text" || field.Name() == "src")
	}
	return cmp.Options{
		cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.FilterPath(typed, cmp.Comparer(func(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) })),
		cmp.Comparer(func(a, b *regexp.Regexp) bool { return a == b || a != nil && b != nil && a.String() == b.String() }),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".grammar" }, cmp.Ignore()),
	}
}

func longest(src []byte) int {
	n := 0
	for l := range bytes.SplitSeq(src, []byte("\n")) {
		n = max(n, len(l))
	}
	return n
}
