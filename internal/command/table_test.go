package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
)

func do(f func(env *app.Env, args app.Args) (any, error)) func(context.Context, *app.Env, app.Args) (any, error) {
	return func(_ context.Context, env *app.Env, args app.Args) (any, error) { return f(env, args) }
}

// testTable has a command of each shape.
func testTable(t testing.TB) *Table {
	nothing := do(func(*app.Env, app.Args) (any, error) { return nil, nil })
	table, err := New(
		app.Spec{
			Name: "member list", Aliases: []string{"members"}, Summary: "list the members", Example: "member list",
			Flags: []app.Flag{
				{Name: "state", Kind: app.Enum, Values: []string{"alive", "lost"}, Default: "alive", Summary: "only these"},
				{Name: "long", Kind: app.Bool, Summary: "more of them"},
			},
			Run: do(func(_ *app.Env, args app.Args) (any, error) {
				return fmt.Sprint(args.String("state"), args.Bool("long")), nil
			}),
		},
		app.Spec{
			Name: "member info", Summary: "show a member", Detail: "All of it.", Example: "member info bob",
			Params: []app.Param{{Name: "name", Kind: app.MemberName, Optional: true}}, Run: nothing,
		},
		app.Spec{
			Name: "msg", Aliases: []string{"chat msg"}, Group: "chat", Summary: "send", Example: "msg hello",
			Params: []app.Param{{Name: "text", Kind: app.Text, Repeated: true}},
			Flags:  []app.Flag{{Name: "to", Kind: app.MemberName, Summary: "only to this one"}},
			Run: do(func(_ *app.Env, args app.Args) (any, error) {
				return args.String("to") + ":" + strings.Join(args.All("text"), "|"), nil
			}),
		},
		app.Spec{
			Name: "sleep", Summary: "wait", Example: "sleep 1",
			Params: []app.Param{{Name: "time", Kind: app.Duration}, {Name: "times", Kind: app.Int, Optional: true}},
			Run: do(func(_ *app.Env, args app.Args) (any, error) {
				return fmt.Sprint(args.Duration("time"), args.Int("times"), args.Has("times")), nil
			}),
		},
		app.Spec{
			Name: "log", Summary: "say the level", Example: "log", Run: nothing,
		},
		app.Spec{
			Name: "log level", Summary: "set the level", Example: "log level info",
			Params: []app.Param{{Name: "level", Kind: app.Enum, Values: []string{"info", "warn"}}}, Run: nothing,
		},
		app.Spec{
			Name: "execute", Summary: "run a file", Example: "execute x", Local: true,
			Params: []app.Param{{Name: "file", Kind: app.File}}, Run: nothing,
		},
		app.Spec{
			Name: "panic", Summary: "panic", Example: "panic", Run: do(func(*app.Env, app.Args) (any, error) { panic("boom") }),
		},
		app.Spec{
			Name: "quit", Summary: "end", Example: "quit", Run: do(func(*app.Env, app.Args) (any, error) { return nil, ErrQuit }),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestNewReportsAllMistakes(t *testing.T) {
	t.Parallel()
	run := do(func(*app.Env, app.Args) (any, error) { return nil, nil })
	ok := func(name string) app.Spec { return app.Spec{Name: name, Summary: "s", Example: "e", Run: run} }
	with := func(name string, change func(*app.Spec)) app.Spec {
		s := ok(name)
		change(&s)
		return s
	}
	_, err := New(
		ok("chat msg"), ok("chatmsg"), ok("Upper"), ok("three words here"),
		with("bare", func(s *app.Spec) { s.Summary = "" }),
		with("alias", func(s *app.Spec) { s.Aliases = []string{"chat msg"} }),
		with("order", func(s *app.Spec) {
			s.Params = []app.Param{{Name: "a", Optional: true}, {Name: "b"}}
		}),
		with("rest", func(s *app.Spec) {
			s.Params = []app.Param{{Name: "a", Repeated: true}, {Name: "b"}}
		}),
		with("enum", func(s *app.Spec) { s.Params = []app.Param{{Name: "a", Kind: app.Enum}} }),
		with("twice", func(s *app.Spec) {
			s.Params = []app.Param{{Name: "a"}}
			s.Flags = []app.Flag{{Name: "a", Summary: "x"}}
		}),
	)
	for _, want := range []string{
		`"chatmsg" belongs to "chat msg"`, `"Upper"`, `"three words here"`, `"bare"`, `"chat msg" belongs`, `required parameter "b"`,
		`last parameter`, `has no values`, `flag "a"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestExecute(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	for _, tt := range []struct{ line, out, err string }{
		{"", "", ""},
		{"member list", "alivefalse\n", ""},
		{"memberlist --state lost --long", "losttrue\n", ""},
		{"/members --state=lost --long=false", "lostfalse\n", ""},
		{"msg hello  'big world' --to x", ":hello|big world|--to|x\n", ""},
		{"chat msg --to bob hello -- there", "bob:hello|--|there\n", ""},
		{`msg "--to" bob`, ":--to|bob\n", ""},
		{"sleep 1.5", "1.5s 0 false\n", ""},
		{"sleep 300ms 2", "300ms 2 true\n", ""},

		{"mesg hello", "", `unknown command "mesg"; did you mean "msg"?`},
		{"member lst", "", `unknown command "member lst"; did you mean "member list"?`},
		{"member", "", `"member" needs a second word: info, list`},
		{"xyzzy", "", `unknown command "xyzzy"`},
		{"member list --stat lost", "", `unknown flag "--stat"; did you mean "--state"?`},
		{"member list --state live", "", `"live" is none of alive, lost; did you mean "alive"?`},
		{"member list --state", "", "--state needs a value"},
		{"member list more", "", `unexpected "more"; usage: member list`},
		{"msg", "", "TEXT is missing; usage: msg TEXT… [--to MEMBER]"},
		{"sleep soon", "", `"soon" is not a duration`},
		{"sleep -1s", "", `"-1s" is not a duration`},
		{"sleep 1 -2", "", `"-2" is not a whole number`},
		{`msg "open`, "", "never closed"},
		{"execute x", "", "only at the peer's own console"},
		{"panic", "", "the command panicked: boom"},
	} {
		var out bytes.Buffer
		lines := 0
		x := Executor{Table: table, Done: func(string, Outcome, time.Duration) { lines++ }}
		o := x.Execute(context.Background(), tt.line, &app.Env{Out: &out, Remote: true})
		if got := out.String(); got != tt.out {
			t.Errorf("%q wrote %q, want %q", tt.line, got, tt.out)
		}
		if (o.Err == nil) != (tt.err == "") || o.Err != nil && !strings.Contains(o.Err.Error(), tt.err) {
			t.Errorf("%q: got %v, want %q", tt.line, o.Err, tt.err)
		}
		if (lines == 1) != (tt.line != "") {
			t.Errorf("%q: Done was called %d times", tt.line, lines)
		}
	}
	x := Executor{Table: table}
	if o := x.Execute(context.Background(), "quit", &app.Env{}); !o.Quit || o.Err != nil {
		t.Errorf("quit: %+v", o)
	}
	var p *PanicError
	if o := x.Execute(context.Background(), "panic", &app.Env{}); !errors.As(o.Err, &p) || !bytes.Contains(p.Stack, []byte("table_test.go")) {
		t.Errorf("panic: %+v", o)
	}
	if o := x.Execute(context.Background(), "mesg", &app.Env{}); !o.Usage() {
		t.Error("an unknown command is no usage error")
	}
}

func TestUsageErrorsTellTheColumn(t *testing.T) {
	t.Parallel()
	for line, col := range map[string]int{
		"mesg hello": 1, "member lst": 8, "  sleep  soon": 10, "sleep": 6, "member list --state live": 21, "member list x": 13,
	} {
		_, err := testTable(t).Parse(line)
		var u *UsageError
		if !errors.As(err, &u) || u.Col != col {
			t.Errorf("%q: got %v, want column %d", line, err, col)
		}
	}
}

func live() Live {
	return Live{
		Members: func() []app.Member {
			return []app.Member{{Name: "alice", State: app.Alive, Self: true}, {Name: "bob", State: app.Suspect, RTT: 412 * time.Microsecond}}
		},
		Files: func(prefix string) []app.Suggestion { return []app.Suggestion{{Text: prefix + "1 x"}} },
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line  string // the cursor is at |
		want  []string
		start int
	}{
		{"|", []string{"execute", "log", "member", "msg", "panic", "quit", "sleep"}, 0},
		{"m|", []string{"member", "msg"}, 0},
		{"/m|", []string{"/member", "/msg"}, 0},
		{"membe|r x", []string{"member"}, 0},
		{"members|", []string{"members"}, 0},
		{"member |", []string{"info", "list"}, 7},
		{"member i|", []string{"info"}, 7},
		{"member info |", []string{"alice", "bob"}, 12},
		{"member info b|", []string{"bob"}, 12},
		{"member info bob |", nil, 16},
		{"member list |", []string{"--long", "--state"}, 12},
		{"member list --s|", []string{"--state"}, 12},
		{"member list --state |", []string{"alive", "lost"}, 20},
		{"member list --state=l|", []string{"--state=lost"}, 12},
		{"member list --long |", []string{"--long", "--state"}, 19},
		{"msg --to b|", []string{"bob"}, 9},
		{"msg |", []string{"--to"}, 4},
		{"msg hello |", nil, 10},
		{"log |", []string{"level"}, 4},
		{"log level w|", []string{"warn"}, 10},
		{"sleep |", nil, 6},
		{"execute f|", []string{`"f1 x"`}, 8},
		{"nosuch |", nil, 7},
		{`msg "a |`, nil, 7},
	} {
		line, _, _ := strings.Cut(tt.line, "|")
		full := strings.Replace(tt.line, "|", "", 1)
		offers, start := testTable(t).Complete(full, len(line), live())
		var got []string
		for _, o := range offers {
			got = append(got, o.Text)
		}
		if d := cmp.Diff(tt.want, got); d != "" || start != tt.start {
			t.Errorf("%q at %d, want %d (-want +got):\n%s", tt.line, start, tt.start, d)
		}
	}
	offers, _ := testTable(t).Complete("member info ", 12, live())
	if offers[0].Description != "alive, this peer" || offers[1].Description != "suspect, 412µs" {
		t.Errorf("descriptions: %+v", offers)
	}
}

// No line panics; every offer, put in place, is a word that the parser takes and that is offered again.
func TestCompletionsAreAccepted(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	words := []string{"member", "list", "info", "msg", "--state", "--state=", "--to", "lost", "bob", "log", "level", "sleep", "1", `"a b"`, "'", "/", "ali"}
	rapid.Check(t, func(t *rapid.T) {
		line := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 5).Draw(t, "words"), " ")
		if rapid.Bool().Draw(t, "blank") {
			line += " "
		}
		cursor := rapid.IntRange(-1, len(line)+1).Draw(t, "cursor")
		_, _ = table.Parse(line) // must not panic
		offers, start := table.Complete(line, cursor, live())
		head := line[:max(0, min(cursor, len(line)))]
		for _, o := range offers {
			filled := head[:start] + o.Text
			if _, err := Split(filled); err != nil {
				t.Fatalf("%q with %q: %v", head, o.Text, err)
			}
			again, at := table.Complete(filled, len(filled), live())
			if strings.Contains(o.Text, " ") {
				continue // the cursor is behind a quote
			}
			if at != start || !contains(again, o.Text) {
				t.Fatalf("%q with %q offers %v at %d, not at %d", head, o.Text, again, at, start)
			}
			var u *UsageError
			if _, err := table.Parse(filled); errors.As(err, &u) && u.Col-1 == start && !strings.HasSuffix(u.Msg, "missing") &&
				!strings.Contains(u.Msg, "needs a second word") {
				t.Fatalf("%q with %q is refused: %v", head, o.Text, err)
			}
		}
	})
}

func contains(offers []app.Suggestion, text string) bool {
	for _, o := range offers {
		if o.Text == text {
			return true
		}
	}
	return false
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"msg", "member list", "quit", "init"}
	for s, want := range map[string]string{
		"mesg": "msg", "mgs": "msg", "memberlist": "member list", "qiut": "quit", "x": "", "initialise": "", "": "",
	} {
		if got := Nearest(s, names); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	if Nearest(strings.Repeat("x", 100000), names) != "" {
		t.Error("a huge word is near something")
	}
}

// A synopsis names the values where they are few, and stays readable where they are many.
func TestSynopsisOfValues(t *testing.T) {
	t.Parallel()
	many := make([]string, mostValues+1)
	for i := range many {
		many[i] = fmt.Sprint("v", i)
	}
	s := &app.Spec{
		Name: "paint",
		Params: []app.Param{
			{Name: "wall", Kind: app.Enum, Values: []string{"left", "right"}},
			{Name: "colour", Kind: app.Enum, Values: many, Optional: true, Repeated: true},
		},
		Flags: []app.Flag{
			{Name: "coat", Kind: app.Enum, Values: []string{"one", "two"}}, {Name: "gloss", Kind: app.Enum, Values: many},
			{Name: "wait", Kind: app.Duration}, {Name: "dry", Kind: app.Bool},
		},
	}
	if got, want := Synopsis(s), "paint left|right [COLOUR…] [--coat one|two] [--gloss ENUM] [--wait DURATION] [--dry]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
