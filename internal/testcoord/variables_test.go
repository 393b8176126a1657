package testcoord

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `param greeting = "good day"
peers alice bob
group both = alice,bob
all init
n = both member count
expect $n = 3
expect $n < 10
expect $n != 30
expect $n ~ /^3$/
who = bob
word = $who echo "$greeting, $SELF ($I of $n) on $RUNNER with $SEED"
expect $word = "good day, bob (2 of 3) on process with 7"
alice echo '$n' ${n}3 5$ \$n
expect alice output = '$n 33 5$ \3'
t = 1500ms
expect $t >= 1s
lab sleep $t
all echo I am $SELF
expect all output = "I am $SELF"
expect all output ~ /^I am $SELF$/
all msg from $SELF
expect all never 100ms event message from=$SELF
`, Options{Seed: 7}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
	wantOutput(t, l, `n = "3"`)
}

// TestVariablesThatDecideLate checks lines of which nothing is known before they are run.
func TestVariablesThatDecideLate(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
verb = kill
[sim] lab $verb alice
alice noop
lab $verb bob
n = 5 # $SELF is no variable in a comment
m = $n # nor is $SELF
text = '$SELF and $I'
expect $text = '$SELF and $I'
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
	wantStatuses(t, l, r, "2 ok", "3 skip", "4 ok", "5 ok", "6 ok", "7 ok", "8 ok", "9 ok")
}

// A step that fails after its commands have passed shows what they wrote, where that is wanted.
func TestOutputOfAStepThatFails(t *testing.T) {
	t.Parallel()
	const src = "peers alice bob\nn = all echo $SELF\n"
	l, _, err := run(t, src, Options{Verbose: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantOutput(t, l, "the peers do not agree")
	wantOutput(t, l, "alice | alice")
	wantOutput(t, l, "bob | bob")
	l, _, err = run(t, src, Options{}, nil)
	if err != nil || strings.Contains(l.out.String(), "alice | ") {
		t.Errorf("%v\n%s", err, l.out.String())
	}
}

func TestVariablesFail(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"n = all echo $SELF\n":                   `the peers do not agree on the value of $n`,
		"n = alice fail\n":                       "this command always fails",
		"n = x\nalice sleep $n":                  `"x" is not a duration`,
		"n = x\n$n noop":                         `no peer is named "x"`,
		"n = 5\nexpect $n = 6":                   `it is "5"`,
		"n = 5\nexpect $n > abc":                 "> compares numbers",
		"[sim] n = 5\nalice echo $n":             "$n has no value: the line that sets it was not run",
		"n = nobody\nlab partition $n | bob":     `no peer is named "nobody"`,
		"n = x\nexpect alice members alive = $n": `"x" is not a whole number`,
	} {
		l, r, err := run(t, "peers alice bob\n"+src+"\n", Options{}, nil)
		if err != nil || r.OK() {
			t.Errorf("%q passed: %v", src, err)
		}
		wantOutput(t, l, want)
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	const src = "param n = 2\npeers p[1..$n]\nalice = p1\nrepeat $n as i\n  p$i noop\nend\nsection \"$n peers\"\n"
	parse := func(params map[string]string) (*Suite, error) {
		return ParseWith("x.lab", []byte(src), ParseOptions{Table: fakeTable(nil), Params: params})
	}
	s, err := parse(map[string]string{"n": "5"})
	if err != nil || len(s.Peers) != 5 || s.Params[0].Value != "5" {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := parse(map[string]string{"m": "5"}); err == nil || !strings.Contains(err.Error(), `the suite has no param "m": it has n`) {
		t.Error(err)
	}
	if _, err := parse(map[string]string{"n": "many"}); err == nil || !strings.Contains(err.Error(), "x.lab:2:7") {
		t.Error(err)
	}
	// The error says what the parameter was.
	if _, err := parse(map[string]string{"n": "20000"}); err == nil {
		t.Error("so many peers")
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol dave
all init
alice msg one
expect others event message from=alice text=one
others msg two
any echo hello
n = any 2 member count
others noop
lab partition alice | bob
lab stop any
lab kill any 3
`, Options{Seed: 3}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
	wantOutput(t, l, "any is ")
	var chosen []string
	for range 2 {
		again, _, _ := run(t, "peers p[1..9]\nrepeat 5\n  any noop\nend\n", Options{Seed: 3}, nil)
		var lines []string
		for line := range strings.Lines(again.out.String()) {
			if strings.Contains(line, "any is") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		chosen = append(chosen, strings.Join(lines, ";"))
	}
	if chosen[0] != chosen[1] || strings.Count(chosen[0], "any is") != 5 {
		t.Errorf("the same seed has chosen %q", chosen)
	}
	l, r, _ = run(t, "peers alice bob\nlab kill bob\nalice noop\nothers noop\nany 2 noop\nlab kill alice\nany noop\n", Options{KeepGoing: true}, nil)
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 FAIL", "5 FAIL", "6 ok", "7 FAIL")
	wantOutput(t, l, "there are no others", "any 2 are wanted, of only 1 peer", "the suite has ended all peers")
}

func reader(files map[string]string) func(string) ([]byte, error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return func(path string) ([]byte, error) { return fs.ReadFile(fsys, path) }
}

func TestInclude(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"lib/start.lab": "suite \"another\"\ntimeout 1h\npeers alice bob\nall init\ninclude \"more.lab\"\n",
		"lib/more.lab":  "alice noop\n",
		"lib/wrong.lab": "alice mesg\n\nrepeat 2\n",
		"self.lab":      "include self.lab\n",
		"one.lab":       "include two.lab\n",
		"two.lab":       "include one.lab\n",
		"bomb.lab":      "include b1.lab\ninclude b1.lab\n",
		"b1.lab":        "include b2.lab\ninclude b2.lab\n", "b2.lab": "include b3.lab\ninclude b3.lab\n",
		"b3.lab": "include b4.lab\ninclude b4.lab\n", "b4.lab": "include b5.lab\ninclude b5.lab\n",
		"b5.lab": "include b6.lab\ninclude b6.lab\n", "b6.lab": "include b7.lab\ninclude b7.lab\n",
		"b7.lab": "include b8.lab\n", "b8.lab": "include b9.lab\n", "b9.lab": "alice noop\n",
	}
	parse := func(src string) (*Suite, error) {
		return ParseWith("main.lab", []byte(src), ParseOptions{Table: fakeTable(nil), Read: reader(files)})
	}
	s, err := parse("suite mine\ninclude lib/start.lab\nrepeat 2\ninclude lib/more.lab\nend\n")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "mine" || s.Timeout != 0 || s.Lines() != 3 || s.Steps[1].File != "lib/more.lab" || s.Steps[2].Body[0].Line != 1 || s.Steps[2].File != "" {
		t.Errorf("%+v", s)
	}
	if d := cmp.Diff([]string{"lib/start.lab", "lib/more.lab", "lib/more.lab"}, s.Files); d != "" {
		t.Error(d)
	}
	// What heads a file is its own, wherever it is included: names must be there, and params have what the suite says.
	files["lib/head.lab"] = "suite another\npeers alice\nparam n = 3\nparam m = 4\nalice echo $n $m\n"
	if s, err = parse("param n = 5\npeers alice bob\nalice noop\ninclude lib/head.lab\nbob noop\n"); err != nil {
		t.Fatal(err)
	}
	if len(s.Peers) != 2 || len(s.Params) != 2 || s.Steps[1].act.(*commandStep).line != "echo 5 4" {
		t.Errorf("%+v", s)
	}
	for src, want := range map[string]string{
		"alice noop\ninclude lib/more.lab\nsuite late\n": "main.lab:3:1: \"suite\" belongs before the first step\n    suite late\n    ^",
		"include lib/wrong.lab\nalice mesg\nend\n": "lib/wrong.lab:1:7: unknown command \"mesg\"; did you mean \"msg\"? (included at main.lab:1)\n    alice mesg\n          ^\n" +
			"lib/wrong.lab:3:1: this repeat has no end (included at main.lab:1)\n    repeat 2\n    ^\n" +
			"main.lab:2:7: unknown command \"mesg\"; did you mean \"msg\"?\n    alice mesg\n          ^\n" +
			"main.lab:3:1: no block is open here\n    end\n    ^",
		"include self.lab\n":         "self.lab:1:9: self.lab includes itself (included at main.lab:1)\n    include self.lab\n            ^",
		"include one.lab\n":          "two.lab:1:9: one.lab includes itself (included at one.lab:1)\n    include one.lab\n            ^",
		"alice noop\ninclude no.lab": "main.lab:2:9: no.lab: file does not exist\n    include no.lab\n            ^",
	} {
		if _, err := parse(src); err == nil || err.Error() != want {
			t.Errorf("%q:\n%v\nwant\n%s", src, err, want)
		}
	}
	_, err = parse("include bomb.lab\n")
	var errs Errors
	if !errors.As(err, &errs) || len(errs) > maxErrors+1 {
		t.Errorf("%v", err)
	}
}

// TestWantedIsShownAsTyped looks at what a failure says of a line with variables: as one would type it with their values.
func TestWantedIsShownAsTyped(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
all init
n = 7
expect bob within 10ms event message text="m 1 $n" from!=$n text~'^a b' x $n
`, Options{}, nil)
	if err != nil || r.OK() {
		t.Errorf("%v %+v", err, r)
	}
	wantOutput(t, l, `event message text="m 1 7" from!=7 text~"^a b" x 7`)
}
