package testcoord

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/command"
)

// TestParseErrors reads testdata/errors/*.lab, and compares what is wrong with them with *.txt beside them.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/errors/*.lab")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(file), src, fakeTable(nil))
			if err == nil {
				t.Fatal("no error")
			}
			golden(t, strings.TrimSuffix(file, ".lab")+".txt", err.Error()+"\n")
		})
	}
}

// golden compares text with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got); -update writes it:\n%s", file, d)
	}
}

// TestParseManyErrors checks that what is not told is told of.
func TestParseManyErrors(t *testing.T) {
	t.Parallel()
	_, err := Parse("x.lab", []byte("peers alice\n"+strings.Repeat("alice mesg\n", maxErrors+5)), fakeTable(nil))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != maxErrors+1 {
		t.Fatal(err)
	}
	if last := errs[maxErrors].Error(); last != "x.lab:52:1: there are 50 mistakes before this line; what follows is not looked at" {
		t.Error(last)
	}
	if _, err = Parse("x.lab", []byte("alice noop\n"+strings.Repeat("alice mesg\n", maxErrors)+"\n"), fakeTable(nil)); !errors.As(err, &errs) || len(errs) != maxErrors {
		t.Error(err)
	}
}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	s, err := Parse("dir/x.lab", []byte("\ufeff# a comment\r\n"+
		"suite \"partition and heal\"   # why\r\ntags partition slow\ntimeout 2m\nprofile fast\nseed 18446744073709551615\n"+
		"peers alice p[01..03]\nalice  init # go\n! all fail\nexpect p[01..02],alice members alive >= 2"), fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"alice", "p01", "p02", "p03"}
	if d := cmp.Diff(want, s.Peers); d != "" {
		t.Error(d)
	}
	if s.Name != "partition and heal" || s.Timeout.Minutes() != 2 || s.Profile != "fast" || s.Seed != 1<<64-1 || len(s.Tags) != 2 {
		t.Errorf("header: %+v", s)
	}
	var texts []string
	for _, step := range s.Steps {
		texts = append(texts, step.Text)
	}
	if d := cmp.Diff([]string{"alice  init", "! all fail", "expect p[01..02],alice members alive >= 2"}, texts); d != "" {
		t.Error(d)
	}
}

// TestParsePrototype reads the prototype's suite: names are declared by their first use.
func TestParsePrototype(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("../../examples/default.cmd")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("default.cmd", src, fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"alice", "bob", "charly"}, s.Peers); d != "" || s.Name != "default" || len(s.Steps) != 12 {
		t.Errorf("peers %s, name %q, %d steps", d, s.Name, len(s.Steps))
	}
}

// TestCommandSurvivesQuoting checks that a peer splits the line it is sent into the words of the suite.
func TestCommandSurvivesQuoting(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`alice msg "left side"`, `alice msg it's a "#" # comment`, `alice msg text="a b"`, `alice msg 'a\b' a\b "a\\b"`,
		`alice msg --state alive -n 2 --text="a b" "--no" -`,
	} {
		s, err := Parse("x", []byte(src), fakeTable(nil))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := command.SplitScript(src)
		got, err := command.Split(s.Steps[0].act.(*commandStep).line)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(texts(want[1:]), texts(got)); d != "" {
			t.Errorf("%s: %s", src, d)
		}
		for i, w := range want[1:] {
			if strings.HasPrefix(w.Text, "-") && w.Quoted != got[i].Quoted {
				t.Errorf("%s: %s is a flag on one side only", src, w.Text)
			}
		}
	}
}

func texts(words []command.Word) []string {
	var out []string
	for _, w := range words {
		out = append(out, w.Text)
	}
	return out
}

// seed gives a fuzz test all suites there are, right and wrong.
func seed(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/suites/*.lab", "testdata/errors/*.lab", "../../examples/*.*", "../../examples/fallacies/*.lab"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
}

// FuzzParse checks that every file is either a suite or a list of mistakes in places that exist, and that a suite includes itself
// as well as any other.
func FuzzParse(f *testing.F) {
	seed(f)
	table := fakeTable(nil)
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, runner := range []string{"", "attach"} {
			checkParsed(t, src, ParseOptions{Table: table, Runner: runner, Params: map[string]string{"n": "7"}, Read: func(path string) ([]byte, error) {
				if path == "other.lab" {
					return src, nil
				}
				return []byte("alice noop\n"), nil
			}})
		}
	})
}

func checkParsed(t *testing.T, src []byte, opt ParseOptions) {
	t.Helper()
	s, err := ParseWith("fuzz.lab", src, opt)
	if err == nil {
		if len(s.Steps) == 0 {
			t.Fatal("a suite without steps")
		}
		return
	}
	var errs Errors
	if !errors.As(err, &errs) || len(errs) == 0 {
		t.Fatalf("%T", err)
	}
	lines := strings.Count(string(src), "\n") + 1
	for _, e := range errs {
		if e.Line < 1 || e.Line > max(lines, 2) || e.Col < 1 || e.Col > len(e.Source)+1 || e.Msg == "" {
			t.Errorf("%+v", e)
		}
		if text := e.Error() + e.Excerpt(); strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("control characters in %q", text)
		}
	}
}

// TestEveryLine checks that each kind of line is one, and stays so when it is formatted.
func TestEveryLine(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/suites/every-line.lab")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("every-line.lab", src, fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(src), string(Format(src))); d != "" {
		t.Error(d)
	}
	if len(s.Peers) != 6 || len(s.Invariants) != 2 || len(s.Measures) != 3 || len(s.Params) != 2 || len(s.Cleanup) != 1 || len(s.Tags) != 2 {
		t.Errorf("%+v", s)
	}
	for word := range words() {
		if word != "include" && !regexp.MustCompile(`(?m)^ *`+word+`\b`).Match(src) {
			t.Errorf("no line with %q", word)
		}
	}
}

// TestExamples checks that the examples are suites. The commands that fake peers lack are known by name only.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../examples/*.lab")
	if len(files) == 0 {
		t.Fatal("no examples")
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(filepath.Base(file), src, fakeTable(nil)); err != nil {
			t.Error(err)
		}
	}
}

// TestBareNumbersAreSeconds reads durations without a unit wherever a line has one, as the prototype's scripts write them.
func TestBareNumbersAreSeconds(t *testing.T) {
	t.Parallel()
	const bare = `timeout 60
peers alice bob
invariant views-agree within 10
alice within 5 sleep 1
lab sleep 0.5
lab clock alice -5
lab latency 1.5±0.5 alice -> bob for 10
lab bootstrap slow 2
expect all within 5 members alive = 2
`
	suite, err := Parse("bare.lab", []byte(bare), fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	got := []time.Duration{suite.Timeout, suite.Invariants[0].Within}
	for _, s := range suite.Steps {
		switch act := s.act.(type) {
		case *commandStep:
			got = append(got, act.within)
		case sleepStep:
			got = append(got, act.d)
		case *labStep:
			got = append(got, act.skew)
		case *faultStep:
			got = append(got, act.rule.Delay, act.rule.Jitter, act.rule.For)
		case bootstrapStep:
			got = append(got, act.delay)
		case *expectStep:
			got = append(got, act.limit)
		}
	}
	const half = 500 * time.Millisecond
	want := []time.Duration{120 * half, 20 * half, 10 * half, half, -10 * half, 3 * half, half, 20 * half, 4 * half, 10 * half}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
