package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
)

// testTable has a field of each kind. wait must be shorter than limit, which depends on mode.
func testTable(t testing.TB) *Table {
	t.Helper()
	fields := []Field{
		{Key: "name", Kind: app.Text, Default: "peer-1", DefaultDoc: "peer-XXXX"},
		{Key: "mode", Kind: app.Enum, Values: []string{"slow", "fast"}, Default: "slow"},
		{Key: "wait", Kind: app.Duration, Default: "200ms"},
		{Key: "limit", Kind: app.Duration, Inherit: func(get func(string) string) (string, string) {
			return map[string]string{"slow": "1h0m0s", "fast": "1s"}[get("mode")], "mode " + get("mode")
		}},
		{Key: "count", Kind: app.Int, Default: "3", Check: func(v string) error {
			if len(v) > 2 {
				return errors.New("more than 99")
			}
			return nil
		}},
		{Key: "log-level", Kind: app.Enum, Values: []string{"debug", "info", "warn"}, Default: "warn"},
		{Key: "log-components", Kind: Levels, Names: []string{"chat", "peer"}, Values: []string{"debug", "info", "warn"}},
		{Key: "insecure", Kind: app.Bool, Default: "false"},
		{Key: "file", Kind: app.File},
		{Key: "listen", Kind: app.Addr, Default: "127.0.0.1:0"},
	}
	for i := range fields {
		fields[i].Summary, fields[i].Live, fields[i].Group = "what it is", Always, "all"
	}
	table, err := New("a test", fields, checkWait)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func checkWait(get func(string) string) []Trouble {
	wait, _ := app.ParseDuration(get("wait"))
	limit, _ := app.ParseDuration(get("limit"))
	if wait < limit {
		return nil
	}
	return []Trouble{{Key: "wait", Err: fmt.Errorf("wait (%s) must be shorter than limit (%s)", get("wait"), get("limit"))}}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	file, err := table.Parse("peer.yaml", []byte("version: 1\nname: from-file\ncount: 5\nmode: fast\ninsecure: true\nwait: 10ms\n"))
	if err != nil {
		t.Fatal(err)
	}
	env, err := table.FromEnvironment([]string{
		"PATH=/bin", "PEERLAB_NAME=from-env", "PEERLAB_COUNT=6", "PEERLAB_LISTEN=", "PEERLAB_SERVICE_HOST=10.0.0.1", "PEERLAB_CONFIG=x", "PEERLAB_HOME=/x",
		"PEERLAB_LOG_COMPONENTS=peer=info, chat=debug",
	})
	if err != nil {
		t.Fatal(err)
	}
	flags, err := table.FromFlags([]Given{{Key: "name", Text: "first"}, {Key: "name", Text: "from-flag"}, {Key: "wait", Text: "0.5", Flag: "--tune wait"}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := table.Resolve(flags, file, env) // the order does not matter
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, key := range table.Keys() {
		got = append(got, fmt.Sprintf("%s=%s (%s)", key, v.Get(key), v.Value(key).Origin()))
	}
	want := []string{
		"name=from-flag (flag --name)", "mode=fast (file peer.yaml:4:1)", "wait=500ms (flag --tune wait)", "limit=1s (mode fast)",
		"count=6 (env PEERLAB_COUNT)", "log-level=warn (default)", "log-components=chat=debug,peer=info (env PEERLAB_LOG_COMPONENTS)",
		"insecure=true (file peer.yaml:5:1)", "file= (default)", "listen=127.0.0.1:0 (default)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestBadFiles compares the whole message of everything that can be wrong with a file.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	const first = `f: a configuration begins with "version: 1"`
	tests := map[string]struct{ text, want string }{
		"empty":         {"", `f: the file is empty; a configuration begins with "version: 1"`},
		"only comments": {"# nothing\n\n", `f: the file is empty; a configuration begins with "version: 1"`},
		"binary":        {"version: 1\n\x00\x01", "f: this is not text, and no configuration"},
		"not UTF-8":     {"version: 1\nname: \xff\xfe", "f: this is not text, and no configuration"},
		"control character in YAML": {
			"version: 1\nname: \x1b[31m", "f: not YAML: control characters are not allowed",
		},
		"a list":          {"- a\n- b\n", `f:1:1: here stands a list; a configuration is lines of "key: value", the first of them "version: 1"`},
		"a word":          {"hello\n", `f:1:1: here stands "hello"; a configuration is lines of "key: value", the first of them "version: 1"`},
		"not YAML":        {"version: 1\nname: [a\n", "f:2: not YAML: did not find expected ',' or ']'"},
		"two documents":   {"version: 1\n---\nversion: 1\n", "f: only one YAML document may be in the file"},
		"no version":      {"name: alice\n", strings.Replace(first, "f:", "f:1:1:", 1)},
		"version later":   {"# hello\nname: alice\nversion: 1\n", strings.Replace(first, "f:", "f:2:1:", 1)},
		"no fields":       {"{}\n", strings.Replace(first, "f:", "f:1:1:", 1)},
		"newer version":   {"version: 2\nnew: 1\n", "f:1:10: version 2 is newer than this peerlab knows, which is 1; use a newer peerlab"},
		"version zero":    {"version: 0\n", `f:1:10: version is "0"; it must be 1`},
		"version a word":  {"version: one\n", `f:1:10: version is "one"; it must be 1`},
		"version quoted":  {"version: \"1\"\n", `f:1:10: version is "1"; it must be 1`},
		"version nothing": {"version:\n", `f:1:9: version is nothing; it must be 1`},
		"version a list":  {"version: [1]\n", `f:1:10: version is a list; it must be 1`},
		"unknown key":     {"version: 1\ncolour: x\n", `f:2:1: unknown key "colour"`},
		"nearly a key":    {"version: 1\n\nlog-levl: info\n", `f:3:1: unknown key "log-levl"; did you mean "log-level"?`},
		"key with capitals": {
			"version: 1\nName: x\n", `f:2:1: unknown key "Name"; did you mean "name"?`,
		},
		"key twice":         {"version: 1\nname: a\nname: a\n", "f:3:1: name stands in line 2 already"},
		"version twice":     {"version: 1\nversion: 1\n", `f:2:1: unknown key "version"`},
		"unknown key twice": {"version: 1\nx: 1\nx: 1\n", "f:2:1: unknown key \"x\"\nf:3:1: x stands in line 2 already"},
		"merge key":         {"version: 1\n<<: {name: a}\n", `f:2:1: unknown key "<<"`},
		"key is a list":     {"version: 1\n? [a]\n: b\n", "f:2:3: here stands a list where a key should be"},
		"enum":              {"version: 1\nlog-level: loud\n", `f:2:12: log-level: "loud" is none of debug, info, warn`},
		"nearly an enum":    {"version: 1\nlog-level: inof\n", `f:2:12: log-level: "inof" is none of debug, info, warn; did you mean "info"?`},
		"duration":          {"version: 1\nwait: soon\n", `f:2:7: wait: "soon" is not a duration such as 300ms, 1.5s or 2m`},
		"negative":          {"version: 1\nwait: -3s\n", `f:2:7: wait: "-3s" is not a duration such as 300ms, 1.5s or 2m`},
		"int":               {"version: 1\ncount: 1.5\n", `f:2:8: count: "1.5" is not a whole number`},
		"int out of range":  {"version: 1\ncount: 100\n", `f:2:8: count: more than 99`},
		"bool":              {"version: 1\ninsecure: maybe\n", `f:2:11: insecure: "maybe" is neither true nor false`},
		"nothing":           {"version: 1\nname:\n", `f:2:6: name: here stands nothing where text should be`},
		"null":              {"version: 1\ninsecure: ~\n", `f:2:11: insecure: here stands nothing where true or false should be`},
		"list":              {"version: 1\nwait: [1s]\n", `f:2:7: wait: here stands a list where a duration such as 300ms should be`},
		"mapping":           {"version: 1\nlog-level: {a: b}\n", `f:2:12: log-level: here stands a mapping where a word should be`},
		"alias":             {"version: 1\nname: &a alice\nfile: *a\n", "f:2:7: name: the anchor \"a\" is not allowed\nf:3:7: file: here stands an alias where text should be"},
		"own tag":           {"version: 1\nname: !x alice\n", `f:2:7: name: the tag "!x" is not allowed`},
		"binary tag":        {"version: 1\nname: !!binary aGVsbG8=\n", `f:2:7: name: the tag "!!binary" is not allowed`},
		"control character": {"version: 1\nname: \"a\\eb\"\n", `f:2:7: name: "a\x1bb" has a control character in it`},
		"several lines":     {"version: 1\nname: |\n  a\n  b\n", `f:2:7: name: "a\nb\n" has a control character in it`},
		"long text": {
			"version: 1\nname: " + strings.Repeat("x", 5000) + "\n", `f:2:7: name: a text of 5000 bytes is longer than the 4096 that are allowed`,
		},
		"long word": {
			"version: 1\nmode: " + strings.Repeat("x", 100) + "\n", `f:2:7: mode: "` + strings.Repeat("x", 64) + `…" is none of slow, fast`,
		},
		"component": {
			"version: 1\nlog-components:\n  chta: debug\n  peer: loud\n",
			"f:3:3: log-components: \"chta\" is none of chat, peer; did you mean \"chat\"?\nf:4:9: log-components: \"loud\" is none of debug, info, warn",
		},
		"component twice":  {"version: 1\nlog-components: {peer: info, peer: info}\n", `f:2:30: log-components: "peer" has two levels`},
		"component list":   {"version: 1\nlog-components: {peer: [info]}\n", `f:2:24: log-components: here stands a list where a level should be`},
		"components list":  {"version: 1\nlog-components: [peer]\n", `f:2:17: log-components: here stands a list where a mapping of names to levels should be`},
		"component text":   {"version: 1\nlog-components: peer\n", `f:2:17: log-components: "peer" is not NAME=LEVEL, such as chat=debug`},
		"component texts":  {"version: 1\nlog-components: peer=info,peer=info\n", `f:2:17: log-components: "peer" has two levels`},
		"several problems": {"version: 1\nnamme: x\ncount: x\n", "f:2:1: unknown key \"namme\"; did you mean \"name\"?\nf:3:8: count: \"x\" is not a whole number"},
	}
	table := testTable(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, err := table.Parse("f", []byte(tt.text))
			if err == nil {
				t.Fatalf("taken: %v", said)
			}
			if d := cmp.Diff(tt.want, err.Error()); d != "" {
				t.Error(d)
			}
			if said != nil {
				t.Errorf("said %v in spite of the error", said)
			}
		})
	}
}

func TestBadSources(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	_, err := table.FromEnvironment([]string{"PEERLAB_LOG_LEVEL=loud", "PEERLAB_LOG_LEVELL=info", "PEERLAB_INSECURE=perhaps", "PEERLAB_LOG_COMPONENTS=x=info"})
	want := `PEERLAB_LOG_LEVEL: "loud" is none of debug, info, warn
PEERLAB_LOG_LEVELL: no field is called so; did you mean "PEERLAB_LOG_LEVEL"?
PEERLAB_INSECURE: "perhaps" is neither true nor false
PEERLAB_LOG_COMPONENTS: "x" is none of chat, peer`
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
	_, err = table.FromFlags([]Given{{Key: "wait", Text: "x"}, {Key: "count", Text: "3x", Flag: "--tune count"}, {Key: "log-levl"}})
	want = `--wait: "x" is not a duration such as 300ms, 1.5s or 2m
--tune count: "3x" is not a whole number
--log-levl: there is no field "log-levl"; did you mean "log-level"?`
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
	said, err := table.Parse("f", []byte("version: 1\nmode: fast\nwait: 5s\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = table.Resolve(said)
	if d := cmp.Diff("f:3:1: wait (5s) must be shorter than limit (1s)", fmt.Sprint(err)); d != "" {
		t.Error(d)
	}
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): ": there is no such file: file does not exist",
		dir:                        ": this is a directory, not a configuration",
		large:                      ": the file is larger than 1048576 bytes, and no configuration",
		os.DevNull:                 ": this is no regular file",
	} {
		_, err := testTable(t).Load(path)
		if d := cmp.Diff(path+want, fmt.Sprint(err)); d != "" {
			t.Error(d)
		}
	}
}

func TestBadTables(t *testing.T) {
	t.Parallel()
	good := Field{Key: "name", Kind: app.Text, Summary: "x", Live: Always, Group: "x"}
	enum := good
	enum.Key, enum.Kind, enum.Values, enum.Default = "mode", app.Enum, []string{"a"}, "b"
	for name, fields := range map[string][]Field{
		"twice": {good, good}, "version": {{Key: "version", Summary: "x", Live: Always, Group: "x"}}, "no summary": {{Key: "x", Live: Always, Group: "x"}},
		"wrong default": {enum},
	} {
		if _, err := New("x", fields, nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
