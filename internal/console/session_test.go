package console

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// run gives a session lines, and returns what it printed and what was wrong.
func run(t *testing.T, lines ...string) (out string, err error) {
	t.Helper()
	s, _, _ := newTestBackend(t)
	var b bytes.Buffer
	err = s.RunScript(context.Background(), "s", strings.NewReader(strings.Join(lines, "\n")), &b)
	return b.String(), err
}

func TestSessionLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script, out, err string
	}{
		{"variable", "set x 5\necho $x ${x}y '$x' \"<$x>\" \"\\$x\" 5$", "5 5y $x <5> $x 5$\n", ""},
		{"a value stays one word", "x = \"two words\"\nmember info $x", "name  two words\n", ""},
		{"a value is no flag", "set x --format\nmember info $x", "name  --format\n", ""},
		{"captured text", "x = echo a b\necho $x", "a b\n", ""},
		{"captured table", "x = member list\necho $x", "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n", ""},
		{"captured number", "set x 1\ny = $x\necho $y", "1\n", ""},
		{"captured nothing", "x = sleep 0\necho \"<$x>\"", "<>\n", ""},
		{"captured failure", "x = fail", "", "s:1:1: it failed"},
		{"text may begin with =", "echo = x", "= x\n", ""},
		{"unset", "set x 5\nunset x\necho $x", "", "s:3:6: unknown variable $x; set x VALUE makes it, and '$x' is text"},
		{"near", "set name bob\necho $namme", "", "s:2:6: unknown variable $namme; did you mean $name?"},
		{"list", "set x 5\nset\nset x\nset output", "NAME    VALUE  KIND\noutput  table  option\npager   off    option\ntiming  off    option\nx       5      variable\n5\ntable\n", ""},
		{"columns are those that were typed", "set x 12345678\nmember info $x more", "", `s:2:16: member info: unexpected "more"`},
		{"json", "set output json\nmember list\nmember info bob\necho 'a \"b\"'", "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n{\"name\":\"bob\"}\n\"a \\\"b\\\"\"\n", ""},
		{"jsonl", "set output jsonl\nmember list", "{\"name\":\"alice\"}\n{\"name\":\"bob\"}\n", ""},
		{"yaml", "set output yaml\nmember list\necho yes", "---\n- name: alice\n- name: bob\n---\n\"yes\"\n", ""},
		{"progress is no result", "set output json\nflood 3", "", ""},
		{"option", "set output jsn", "", `s:1:1: output: "jsn" is none of table, json, jsonl, yaml; did you mean "json"?`},
		{"reserved", "output = json", "", "s:1:1: output is an option: set output VALUE changes it"},
		{"no name", "set a-b 1", "", `s:1:1: "a-b" is not the name of a variable`},
		{"alias", "alias ml = member list\nml\nalias\nalias ml\nunalias ml\nml", "NAME\nalice\nbob\nNAME  LINE\nml    member list\nmember list\n", `s:6:1: unknown command "ml"`},
		{"alias with arguments", "alias i member info\nset who bob\ni $who\ntime i $who --format=lang", "name  bob\ntook", "s:4:"},
		{"alias keeps its variables", "alias e echo $x\nset x 1\ne\nset x 2\ne more", "1\n2 more\n", ""},
		{"alias of itself", "alias a = a", "", "s:1:1: aliases lead to each other"},
		{"aliases of each other", "alias a = b\nalias b = a", "", "s:2:1: aliases lead to each other"},
		{"no alias of itself", "alias member = member list\nmember", "NAME\nalice\nbob\n", ""},
		{"alias of a command", "alias echo = fail", "", `s:1:1: "echo" is a command already`},
		{"alias of the first of two words", "alias member = echo alias\nmember info bob\nmember more", "name  bob\nalias more\n", ""},
		{"assignment before alias", "alias x = echo alias\nx = 5\necho $x", "5\n", ""},
		{"a quoted word is a value", "x = \"quit\"\necho $x", "quit\n", ""},
		{"set takes a =", "set x = 5\necho $x", "5\n", ""},
		{"a value behind a -", "set x 'a \"b'\necho -$x", "-a \"b\n", ""},
		{"watch holds what others run", "watch -n 100ms -c 2 time part > /dev/null", "", ""},
		{"no alias", "unalias x", "", `s:1:1: there is no alias "x"`},
		{"pipe", "member list | tr a-z A-Z | head -2", "NAME\nALICE\n", ""},
		{"jq reads json", "member list | jq() { cat; }; jq .", "NAME\nalice\nbob\n", ""},
		{"a failing pipe", "member list | exit 3", "", "s:1:1: exit 3: exit status 3"},
		{"variables for the shell", "set x 5\nmember info a | read l; echo $x $l", "5 name a\n", ""},
		{"a message may have signs", "echo a | b > c", "a | b > c\n", ""},
		{"in quotes", "member info '|'", "name  |\n", ""},
		{"nothing after", "member list |", "", "s:1:14: a command of the shell is missing after |"},
		{"no file", "member list >", "", "s:1:14: a file is missing after >"},
		{"two files", "member list > a b", "", "s:1:17: unexpected b after the file"},
		{"no folder", "member list > /nowhere/at/all", "", "s:1:1: open /nowhere/at/all: no such file or directory"},
		{"captured and redirected", "x = member list > y", "", "s:1:17: the result goes into a variable already"},
		{"empty assignment", "x = ", "", "s:1:5: x = needs a command or a value"},
		{"watch", "watch -n 100ms -c 2 member list > /dev/null", "", ""},
		{"watch a mistake", "watch membr list", "", `s:1:1: unknown command "membr"`},
		{"watch too fast", "watch -n 1ms member list", "", "s:1:1: watch: every 1ms is less than 100ms"},
		{"shell", "set x 5\nshell echo $x \"a   b\"; exit 4", "5 a   b\n", "s:2:1: shell: exit status 4"},
		{"text captured", "x = shell echo one; echo two\necho \"<$x>\"\npart | tr a-z A-Z", "<one\ntwo>\nPART OF A LINE", ""},
		{"shell too slow", "shell --timeout 100ms sleep 60", "", "s:1:1: shell: it took longer than 100ms, and was ended"},
		{"shell without a script", "shell", "", "s:1:6: shell: SCRIPT is missing"},
		{"a value near a command", "n = grops\nm = 'grops'\necho $n $m", "grops grops\n", ""},
		{"mute tells", "mute\nmute on\nmute\nmute off\nmute", "mute       off\nnot_shown  0\nmute       on\nnot_shown  0\nmute       off\nnot_shown  0\n", ""},
		{"events tells", "events", "events  off\nkinds   \n", ""},
		{"events without events", "events on", "", "s:1:1: this console has no events"},
		{"unclosed", "set x ${y", "", "s:1:7: this ${ is never closed"},
		{"quote", "echo \"a", "", "s:1:6: this \" is never closed"},
		{"binary", "\x7fELF\x02", "", "s:1:1: control character U+007F in the line"},
		{"flag", "watch --evry 2s member list", "", `s:1:7: watch: unknown flag "--evry"; did you mean "--every"?`},
		{"missing file", "execute no.such", "", "s:1:1: open no.such: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, tt.script)
			if tt.name == "alias with arguments" { // how long it took differs
				out, _, _ = strings.Cut(out, "took")
				out += "took"
			}
			if d := cmp.Diff(tt.out, out); d != "" {
				t.Error(d)
			}
			if got := message(err); !strings.HasPrefix(got, tt.err) || tt.err == "" && got != "" {
				t.Errorf("error %q, want %q", got, tt.err)
			}
		})
	}
}

// A file gets the result of a command that succeeds, and is left alone by one that fails.
func TestResultsInFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out put")
	read := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	for _, step := range []struct{ line, want, err string }{
		{"fail > $f", "open " + path + ": no such file or directory", "it failed"},
		{"member list > $f", "NAME\nalice\nbob\n", ""},
		{"member info bob > $f", "name  bob\n", ""},
		{"fail > $f", "name  bob\n", "it failed"},
		{"member info carol >> $f", "name  bob\nname  carol\n", ""},
		{"time member info bob > $f", "name  bob\n", ""},
		{"set output json; member list > $f", "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n", ""},
	} {
		s, _, _ := newTestBackend(t)
		if err := s.setVariable("f", path); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := s.RunLines(context.Background(), "-e", step.line, &out)
		if !strings.Contains(message(err), step.err) || step.err == "" && err != nil || read() != step.want {
			t.Errorf("%s: %v, file %q, want %q", step.line, err, read(), step.want)
		}
	}
}

func TestScriptsKeepGoing(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	var out, notes bytes.Buffer
	s := NewSession(SessionConfig{Engine: NewLocal(exec, testLive()), Output: NewOutput(&out, &notes), KeepGoing: true})
	defer s.Close()
	err := s.RunScript(context.Background(), "s", strings.NewReader("fail\necho one\n  ehco two\necho three\nquit\nfail"), &out)
	if message(err) != "s: 2 lines failed" || out.String() != "one\nthree\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	if err := s.RunLines(context.Background(), "-e", "fail; quit", &out); message(err) != "-e: 1 line failed" {
		t.Error(err)
	}
	want := "s:1:1: it failed\ns:3:3: unknown command \"ehco two\"; did you mean \"echo\"?\n"
	if got := notes.String(); !strings.HasPrefix(got, "s:1:1: it failed\ns:3:3: unknown command") {
		t.Errorf("notes %q, want %q", got, want)
	}
}

func TestMute(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	var out bytes.Buffer
	o := NewOutput(&bytes.Buffer{}, &out)
	s := NewSession(SessionConfig{Engine: NewLocal(exec, testLive()), Output: o})
	defer s.Close()
	o.Println("one")
	for _, line := range []string{"mute on", "echo result", "mute off"} {
		if line == "mute off" {
			o.Println("two")
			o.Println("three")
		}
		if got := s.Execute(context.Background(), line, &out); got.Err != nil {
			t.Fatal(got.Err)
		}
	}
	o.Println("four")
	if got, want := out.String(), "one\nresult\n2 lines were not shown\nfour\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// watch runs in the rhythm it was told, and ends with its context without a failure.
func TestWatchInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newTestBackend(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var out bytes.Buffer
		o := s.Execute(ctx, "watch -n 2s member info bob", &out)
		if o.Err != nil || strings.Count(out.String(), "name  bob\n") != 3 || strings.Count(out.String(), "every 2s: member info bob") != 3 {
			t.Errorf("%v, %q", o.Err, out.String())
		}
	})
}

func TestSessionComplete(t *testing.T) {
	t.Parallel()
	s, _, _ := newTestBackend(t)
	for _, line := range []string{"set who bob", "set whom carol", "alias ml = member info"} {
		if o := s.Execute(context.Background(), line, &bytes.Buffer{}); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	for _, tt := range []struct {
		line  string
		want  []string
		start int
	}{
		{"echo $wh", []string{"$who", "$whom"}, 5},
		{"echo <$who", []string{"<$who", "<$whom"}, 5},
		{"echo ${whom", []string{"${whom}"}, 5},
		{"echo '$wh", nil, 5},
		{"m", []string{"member", "ml", "mute"}, 0},
		{"ml al", []string{"alice"}, 3},
		{"ml --f", []string{"--format"}, 3},
		{"x = member li", []string{"list"}, 11},
		{"x = mem", []string{"member"}, 4},
		{"watch mem", []string{"member"}, 6},
		{"watch member in", []string{"info"}, 13},
		{"watch -n 1s member info al", []string{"alice"}, 24},
		{"watch -", []string{"--count", "--every"}, 6},
		{"time watch member info al", []string{"alice"}, 23},
		{"set out", []string{"output"}, 4},
		{"set output js", []string{"json", "jsonl"}, 11},
		{"set timing ", []string{"off", "on"}, 11},
		{"set x ", nil, 6},
		{"events on kind=jo", []string{"kind=joined"}, 10},
		{"unset wh", []string{"who", "whom"}, 6},
		{"unalias ", []string{"ml"}, 8},
		{"help memb", []string{"member"}, 5},
		{"help member li", []string{"list"}, 12},
		{"help member list ", nil, 17},
	} {
		offers, start := s.Complete(context.Background(), tt.line, len(tt.line))
		var got []string
		for _, o := range offers {
			got = append(got, o.Text)
		}
		if d := cmp.Diff(tt.want, got); d != "" || start != tt.start {
			t.Errorf("%q from %d, want from %d (-want +got):\n%s", tt.line, start, tt.start, d)
		}
	}
}

// What may have been meant as a command is text, and the user is asked; not in the results, where a program reads these.
func TestValueNearACommand(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	var out, notes bytes.Buffer
	s := NewSession(SessionConfig{Engine: NewLocal(exec, testLive()), Output: NewOutput(&out, &notes)})
	defer s.Close()
	script := "n = grops\nset x grops\nm = 'grops'\nm = $x\nm = red\nset m grops\n"
	if err := s.RunScript(context.Background(), "s", strings.NewReader(script), &out); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
	if got, want := notes.String(), "n is the text \"grops\" now; did you mean the command \"groups\"?\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
