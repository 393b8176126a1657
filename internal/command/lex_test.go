package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		want []Word
	}{
		{"", nil},
		{" \t ", nil},
		{"msg hello  world", []Word{{"msg", 1, false}, {"hello", 5, false}, {"world", 12, false}}},
		{`msg "left side"`, []Word{{"msg", 1, false}, {"left side", 5, true}}},
		{`msg 'a "b" c'`, []Word{{"msg", 1, false}, {`a "b" c`, 5, true}}},
		{`msg it's fine`, []Word{{"msg", 1, false}, {"it's", 5, false}, {"fine", 10, false}}},
		{`text="left side" x~'a b'`, []Word{{"text=left side", 1, false}, {"x~a b", 18, false}}},
		{`"a\"b\\c\n\t\x"`, []Word{{"a\"b\\c\n\t\\x", 1, true}}},
		{`""`, []Word{{"", 1, true}}},
		{`"a"b`, []Word{{"ab", 1, true}}},
		{`"a""b"`, []Word{{`a"b"`, 1, true}}},
		{"<bob> #tag", []Word{{"<bob>", 1, false}, {"#tag", 7, false}}},
		{"é 世界", []Word{{"é", 1, false}, {"世界", 4, false}}},
	} {
		got, err := Split(tt.line)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, d)
		}
	}
}

func TestSplitErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		col  int
		want string
	}{
		{`msg "hello`, 5, "never closed"},
		{`msg text='x`, 10, "never closed"},
		{"msg \x1b[2J", 5, "U+001B"},
		{"msg a\x07", 6, "U+0007"},
		{"msg \"a\x1b\"", 7, "U+001B"},
		{"msg \xff", 5, "UTF-8"},
	} {
		_, err := Split(tt.line)
		var s *SyntaxError
		if !errors.As(err, &s) || s.Col != tt.col || !strings.Contains(s.Msg, tt.want) {
			t.Errorf("%q: got %v, want %q at column %d", tt.line, err, tt.want, tt.col)
		}
	}
}

func TestSplitScriptEndsAtAComment(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"# all of it": 0, "msg a # b": 2, "msg a#b": 2, `msg "# a" b`: 3, "  #": 0, `x="# no"`: 1,
		`msg a # it's "open`: 2,
	} {
		words, err := SplitScript(line)
		if err != nil || len(words) != want {
			t.Errorf("%q: %d words, %v; want %d", line, len(words), err, want)
		}
	}
}

func TestCutComment(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"": "", "# all": "", "msg a # b": "msg a ", "msg a#b '# c' #": "msg a#b '# c' ", "msg 'open # x": "msg 'open # x", "é # x": "é ",
	} {
		if got := CutComment(line); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

func TestSplitCommands(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][]string{
		"":                       {""},
		"init; msg hello; quit":  {"init", " msg hello", " quit"},
		`msg "a;b"; msg 'c;d'`:   {`msg "a;b"`, ` msg 'c;d'`},
		"msg it's; quit":         {"msg it's", " quit"},
		`expect text="a;b";quit`: {`expect text="a;b"`, "quit"},
		`msg "open; quit`:        {`msg "open; quit`},
		";;":                     {"", "", ""},
	} {
		if d := cmp.Diff(want, SplitCommands(s)); d != "" {
			t.Errorf("%q (-want +got):\n%s", s, d)
		}
	}
}

// What Quote writes is one word that Split reads back as text.
func TestQuoteIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("ab \t\n\"'\\#-;=~é世|"))).Draw(t, "text")
		for _, split := range []func(string) ([]Word, error){Split, SplitScript} {
			words, err := split("x " + Quote(s) + " y")
			if err != nil || len(words) != 3 || words[1].Text != s {
				t.Fatalf("%q became %s: %v, %v", s, Quote(s), words, err)
			}
		}
		if n := len(SplitCommands(Quote(s))); n != 1 {
			t.Fatalf("%s is %d commands", Quote(s), n)
		}
	})
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "msg hello", `msg "a b" 'c' # d`, `--x="`, "\xff", "a=\"b\"c'", "\x1b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, split := range []func(string) ([]Word, error){Split, SplitScript} {
			words, err := split(line)
			if err != nil {
				var s *SyntaxError
				if !errors.As(err, &s) || s.Col < 1 || s.Col > len(line) {
					t.Fatalf("%q: %v", line, err)
				}
				continue
			}
			for i, w := range words {
				if w.Col < 1 || w.Col > len(line) || i > 0 && w.Col <= words[i-1].Col {
					t.Fatalf("%q: word %d at column %d", line, i, w.Col)
				}
			}
		}
	})
}
