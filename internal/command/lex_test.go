package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	type word struct {
		text   string
		col    int
		quoted bool
	}
	for _, tt := range []struct {
		line string
		want []word
	}{
		{"", nil},
		{" \t ", nil},
		{"msg hello  world", []word{{"msg", 1, false}, {"hello", 5, false}, {"world", 12, false}}},
		{`msg "left side"`, []word{{"msg", 1, false}, {"left side", 5, true}}},
		{`msg 'a "b" c'`, []word{{"msg", 1, false}, {`a "b" c`, 5, true}}},
		{`msg it's fine`, []word{{"msg", 1, false}, {"it's", 5, false}, {"fine", 10, false}}},
		{`text="left side" x~'a b'`, []word{{"text=left side", 1, false}, {"x~a b", 18, false}}},
		{`"a\"b\\c\n\t\x"`, []word{{"a\"b\\c\n\t\\x", 1, true}}},
		{`""`, []word{{"", 1, true}}},
		{`"a"b`, []word{{"ab", 1, true}}},
		{`"a""b"`, []word{{`a"b"`, 1, true}}},
		{"<bob> #tag", []word{{"<bob>", 1, false}, {"#tag", 7, false}}},
		{"é 世界", []word{{"é", 1, false}, {"世界", 4, false}}},
	} {
		words, err := Split(tt.line)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
		}
		var got []word
		for _, w := range words {
			got = append(got, word{w.Text, w.Col, w.Quoted})
		}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(word{})); d != "" {
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
		"a # b; 'c;d":            {"a # b; 'c;d"},
		"a; #b; c":               {"a", " #b; c"},
		"a#b;c=#d;e '#;'#f;g":    {"a#b", "c=#d", "e '#;'#f", "g"},
		"a\u00a0'b;c'\u3000#d;e": {"a\u00a0'b;c'\u3000#d;e"},
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
		s := rapid.StringOf(rapid.RuneFrom([]rune("ab \t\n\"'\\#-;=~é世|$${}"))).Draw(t, "text")
		withVars := func(line string) ([]Word, error) { return SplitVars(line, noVariables) }
		for _, split := range []func(string) ([]Word, error){Split, SplitScript, withVars} {
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
				if w.Col < 1 || w.Col > len(line) || i > 0 && w.Col <= words[i-1].Col || !strings.HasPrefix(line[w.Col-1:], w.Raw) {
					t.Fatalf("%q: word %d at column %d", line, i, w.Col)
				}
			}
		}
	})
}

func noVariables(name string) (string, error) { return "", errors.New("no variable " + name) }

func TestSplitVars(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"x": "5", "text": "two words", "flag": "--long", "empty": ""}
	lookup := func(name string) (string, error) {
		v, ok := vars[name]
		if !ok {
			return noVariables(name)
		}
		return v, nil
	}
	for _, tt := range []struct {
		line string
		want []string // quoted words begin with a "
		err  string
	}{
		{"echo $x ${x}y a$x.b", []string{"echo", `"5`, `"5y`, "a5.b"}, ""},
		{"msg $text '$text' \"<$text>\" \"\\$text\"", []string{"msg", `"two words`, `"$text`, `"<two words>`, `"$text`}, ""},
		{"list $flag --to=$x", []string{"list", `"--long`, "--to=5"}, ""},
		{"costs 5$ $ $5 a$", []string{"costs", "5$", "$", "$5", "a$"}, ""},
		{"x$empty $empty", []string{"x", `"`}, ""},
		{"echo $y", nil, "6: no variable y"},
		{`echo "a $y"`, nil, "9: no variable y"},
		{"echo ${x", nil, "6: this ${ is never closed"},
		{"echo ${a b}", nil, `6: "a b" is not the name of a variable`},
		{"echo ${}", nil, `6: "" is not the name`},
	} {
		words, err := SplitVars(tt.line, lookup)
		var got []string
		for _, w := range words {
			if w.Quoted {
				w.Text = `"` + w.Text
			}
			got = append(got, w.Text)
		}
		if d := cmp.Diff(tt.want, got); d != "" || !strings.HasPrefix(placed(err), tt.err) || tt.err == "" && err != nil {
			t.Errorf("%q: error %q, want %q (-want +got):\n%s", tt.line, placed(err), tt.err, d)
		}
	}
}

// placed is an error with its column.
func placed(err error) string {
	var syntax *SyntaxError
	var usage *UsageError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("%d: %s", syntax.Col, syntax.Msg)
	case errors.As(err, &usage):
		return fmt.Sprintf("%d: %s", usage.Col, usage.Msg)
	}
	return ""
}

// Join writes what Split reads back, and source what was typed.
func TestJoinIsReadBack(t *testing.T) {
	t.Parallel()
	part := rapid.OneOf(rapid.SampledFrom([]string{"echo", "--to", "--to=", "-n", "-n=", "'", `"`, " ", "  ", "=", "$x", "é", "\\"}), rapid.StringOf(rapid.RuneFrom([]rune("ab \"'-=~#;"))))
	rapid.Check(t, func(t *rapid.T) {
		line := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), "")
		words, err := Split(line)
		if err != nil {
			return
		}
		if got := source(words); got != strings.TrimSpace(line) {
			t.Fatalf("the source of %q is %q", line, got)
		}
		again, err := Split(Join(words))
		if err != nil || len(again) != len(words) {
			t.Fatalf("%q became %q: %v", line, Join(words), err)
		}
		for i, w := range words {
			if again[i].Text != w.Text || strings.HasPrefix(w.Text, "-") && again[i].Quoted != w.Quoted {
				t.Fatalf("%q became %q: %+v, want %+v", line, Join(words), again[i], w)
			}
		}
	})
}
