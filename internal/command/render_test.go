package command

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
)

func TestTextAndJSON(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 11, 23, 4, 5, 6, 7e6, time.Local)
	for _, tt := range []struct {
		result     any
		text, json string
	}{
		{nil, "", ""},
		{"hello", "hello\n", `"hello"`},
		{"two\nlines\n", "two\nlines\n", `"two\nlines\n"`},
		{"", "\n", `""`},
		{5, "5\n", "5"},
		{true, "true\n", "true"},
		{1500 * time.Microsecond, "1.5ms\n", `"1.5ms"`},
		{
			app.Table{Columns: []string{"name", "rtt", "n"}, Rows: [][]any{{"alice", nil, 1}, {"bob", 412345 * time.Nanosecond, 22}}},
			"NAME   RTT    N\nalice         1\nbob    412µs  22\n",
			`[{"name":"alice","rtt":null,"n":1},{"name":"bob","rtt":"412.345µs","n":22}]`,
		},
		{&app.Table{Columns: []string{"name"}}, "NAME\n", "[]"},
		{
			app.Record{{Name: "state", Value: "alive"}, {Name: "apps", Value: []string{"a", "b"}}, {Name: "joined", Value: when}},
			"state   alive\napps    a,b\njoined  04:05:06.007\n",
			`{"state":"alive","apps":["a","b"],"joined":` + jsonTime(when) + `}`,
		},
		{"\x1b[31mred\x07", "[31mred\n", `"\u001b[31mred\u0007"`},
	} {
		var b bytes.Buffer
		if err := Text(&b, tt.result); err != nil || b.String() != tt.text {
			t.Errorf("%v as text: %q, %v; want %q", tt.result, b.String(), err, tt.text)
		}
		if got, err := JSON(tt.result); err != nil || got != tt.json {
			t.Errorf("%v as JSON: %s, %v; want %s", tt.result, got, err, tt.json)
		}
	}
	if _, err := JSON(func() {}); err == nil {
		t.Error("a function became JSON")
	}
}

func jsonTime(t time.Time) string {
	b, err := t.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestClean(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"plain é 世界 👩‍👩‍👧":                 "plain é 世界 👩‍👩‍👧",
		"\x1b]0;title\x07\x1b[2J":          "]0;title[2J",
		"a\tb\nc\r\n":                      "a b c ",
		"\u009b31m \u202eevil\u2066\u2028": "31m evil",
		"bad \xff byte":                    "bad \ufffd byte",
	} {
		if got := Clean(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestHelpTexts(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	overview := table.Overview("")
	for _, s := range table.Specs() {
		if !strings.Contains(overview, s.Summary) || !strings.Contains(table.Markdown(), "`"+s.Example+"`") {
			t.Errorf("%s is not in the help", s.Name)
		}
	}
	if got := table.Overview("chat"); got != "chat\n  msg TEXT…            send\n" {
		t.Errorf("group chat: %q", got)
	}
	const want = `member list [--state alive|lost] [--long]
  list the members

  --state          only these (default alive)
  --long           more of them

example
  member list
aliases
  members
`
	if got := Describe(table.Lookup("/memberlist")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if table.Lookup("nosuch") != nil {
		t.Error("nosuch was found")
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 1234567: "1.23ms", 12345678: "12.3ms", 1234567890: "1.23s", 83 * time.Second: "1m23s",
		5*time.Hour + 1234*time.Millisecond: "5h0m1s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}
