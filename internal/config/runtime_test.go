package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// timing is a Target of fields that belong together. While it runs, limit cannot change.
type timing struct {
	now     map[string]string
	running bool
}

func (*timing) Keys() []string          { return []string{"mode", "limit", "wait"} }
func (t *timing) Get(key string) string { return t.now[key] }

func (t *timing) Later(want func(string) string) ([]string, string) {
	if !t.running || want("limit") == t.now["limit"] {
		return nil, ""
	}
	keys := []string{"limit"}
	if want("mode") != t.now["mode"] {
		keys = append(keys, "mode")
	}
	return keys, "stop it first"
}

func (t *timing) Apply(want func(string) string) error {
	for _, key := range t.Keys() {
		t.now[key] = want(key)
	}
	return nil
}

// lab is what the tests change: timings, a level, and a file that cannot always be opened.
type lab struct {
	*Runtime
	table  *command.Table
	timing *timing
	level  string
	file   string
}

func newLab(t *testing.T, said ...Said) *lab {
	t.Helper()
	values, err := testTable(t).Resolve(said...)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{timing: &timing{now: map[string]string{}}, level: "warn"}
	_ = l.timing.Apply(values.Get)
	l.Runtime = NewRuntime(values, l.timing,
		Single{Key: "log-level", Read: func() string { return l.level }, Set: func(v string) error { l.level = v; return nil }},
		Single{Key: "file", Read: func() string { return l.file }, Set: func(v string) error {
			if strings.HasPrefix(v, "/no/") {
				return errors.New("there is no such folder")
			}
			l.file = v
			return nil
		}},
	)
	l.table, err = command.New(append(l.Commands(), l.CommandsFor("member", "memberlist", "the timings", []string{"mode", "wait", "limit"})...)...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run is the result of a line as JSON, or the error.
func (l *lab) run(t *testing.T, line string) string {
	t.Helper()
	return l.runAs(t, line, &app.Env{Out: io.Discard})
}

func (l *lab) runAs(t *testing.T, line string, env *app.Env) string {
	t.Helper()
	e := command.Executor{Table: l.table}
	o := e.Execute(context.Background(), line, env)
	if o.Err != nil {
		return "error: " + o.Err.Error()
	}
	return o.JSON
}

func (l *lab) check(t *testing.T, line, want string) {
	t.Helper()
	if d := cmp.Diff(want, l.run(t, line)); d != "" {
		t.Errorf("%s:\n%s", line, d)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	l := newLab(t, Said{"wait": {Text: "100ms", Layer: Flag, From: "--wait"}})
	l.check(t, "config set log-level debug", `{"field":"log-level","value":"debug","was":"warn"}`)
	if l.level != "debug" {
		t.Errorf("level %s", l.level)
	}
	l.check(t, "config set log-level debug", "")
	l.check(t, "config set log-level loud", `error: log-level: "loud" is none of debug, info, warn`)
	l.check(t, "config set log-levell info", `error: there is no field "log-levell"; did you mean "log-level"?`)
	l.check(t, "config set name bob", `error: name: needs restart: end it and start it again with --name=bob, or with a file that says so`)
	l.check(t, "config set name peer-1", "") // it has that name
	l.check(t, "config set wait 2h", `error: wait (2h) must be shorter than limit (1h)`)
	l.check(t, "config set file /no/x", "error: there is no such folder")
	l.check(t, "config show file", `{"field":"file","value":"","origin":"default","live":"yes","env":"PEERLAB_FILE","summary":"what it is"}`)
	l.check(t, "config set mode fast", `{"field":"mode","value":"fast","was":"slow"}`)
	l.check(t, "member show --origin", `[{"field":"mode","value":"fast","origin":"console","live":"yes"},`+
		`{"field":"wait","value":"100ms","origin":"flag --wait","live":"yes"},{"field":"limit","value":"1s","origin":"mode fast","live":"yes"}]`)
	l.timing.running = true
	l.check(t, "config set mode slow", "error: mode: needs restart: stop it first")
	l.check(t, "config set limit 3s", "error: limit: needs restart: stop it first")
	l.check(t, "config set wait 0.2", `{"field":"wait","value":"200ms","was":"100ms"}`)
	l.check(t, "memberlist show wait", `{"field":"wait","value":"200ms","origin":"console","live":"yes","env":"PEERLAB_WAIT","summary":"what it is"}`)
	l.check(t, "member show log-level", `error: there is no field "log-level"`)
	remote := &app.Env{Out: io.Discard, Remote: true}
	if got := l.runAs(t, "config set file x", remote); got != "error: file names a file, and can be set only at the console of the peer itself" {
		t.Error(got)
	}
	if got := l.runAs(t, "config set log-level info", remote); !strings.HasPrefix(got, "{") {
		t.Error(got)
	}
}

// TestOtherWaysAreSeen changes what runs behind the back of the configuration.
func TestOtherWaysAreSeen(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.level, l.timing.now["mode"], l.timing.now["limit"], l.timing.now["wait"] = "info", "fast", "1.0s", "30ms"
	l.check(t, "member show --origin", `[{"field":"mode","value":"fast","origin":"console","live":"yes"},`+
		`{"field":"wait","value":"30ms","origin":"console","live":"yes"},{"field":"limit","value":"1s","origin":"mode fast","live":"yes"}]`)
	l.timing.now["wait"] = "200ms"
	if got := l.Values().Value("wait").Origin(); got != "default" {
		t.Errorf("origin %q of a value that is again as by default", got)
	}
	path := filepath.Join(t.TempDir(), "x.yaml")
	l.check(t, "config save "+path, "")
	want := "# Configuration of a test; fields that are not here have their defaults.\nversion: 1\nmode: fast\nlog-level: info\n"
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("version: 1\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := newLab(t)
	l.timing.running = true
	write("name: bob\nmode: fast\nwait: 50ms\nlog-level: info\n")
	l.check(t, "config load "+path, `[{"field":"name","value":"bob","was":"peer-1","state":"needs restart: end it and start it again with --name=bob, or with a file that says so"},`+
		`{"field":"mode","value":"fast","was":"slow","state":"needs restart: stop it first"},`+
		`{"field":"wait","value":"50ms","was":"200ms","state":"applied"},{"field":"log-level","value":"info","was":"warn","state":"applied"}]`)
	if l.level != "info" || l.timing.now["mode"] != "slow" || l.timing.now["wait"] != "50ms" {
		t.Errorf("level %s, timings %v", l.level, l.timing.now)
	}
	if got := l.Values().Value("wait").Origin(); got != "file "+path+":4:1" {
		t.Error(got)
	}

	l.timing.running = false
	write("mode: fast\nlimit: 1h\n") // limit is so now, but with the other mode it would not be
	l.check(t, "config load "+path, `[{"field":"mode","value":"fast","was":"slow","state":"applied"}]`)
	if got := l.timing.now["limit"]; got != "1h" {
		t.Errorf("limit %s", got)
	}

	write("log-level: warn\nwait: 70ms\nlog-levell: warn\n")
	l.check(t, "config load "+path, fmt.Sprintf(`error: %s:4:1: unknown key "log-levell"; did you mean "log-level"?`, path))
	write("log-level: warn\nwait: 3h\n")
	l.check(t, "config load "+path, fmt.Sprintf("error: %s:3:1: wait (3h) must be shorter than limit (1h)", path))
	write("log-level: warn\nwait: 70ms\nfile: /no/x\n") // the last of three targets fails
	l.check(t, "config load "+path, "error: there is no such folder")
	if l.level != "info" || l.timing.now["wait"] != "50ms" {
		t.Errorf("a load that failed changed something: level %s, timings %v", l.level, l.timing.now)
	}

	write("wait: 60ms\nlog-level: warn\n")
	l.check(t, "member load "+path, fmt.Sprintf(`error: %s:3:1: unknown key "log-level"`, path))
	write("wait: 60ms\n")
	l.check(t, "memberlist load "+path, `[{"field":"wait","value":"60ms","was":"50ms","state":"applied"}]`)
}

func TestSaveKeepsOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	l := newLab(t, Said{"name": {Text: "bob", Layer: Flag}})
	other := file("compose.yaml", "version: \"3\"\nservices: {}\n")
	l.check(t, "config save "+other, fmt.Sprintf(`error: %s is there, and no configuration that this would replace; --force replaces it: %s:1:10: version is "3"; it must be 1`, other, other))
	if got, _ := os.ReadFile(other); !strings.Contains(string(got), "services") {
		t.Errorf("replaced:\n%s", got)
	}
	l.check(t, "config save "+other+" --force", "")
	whole := file("peer.yaml", "version: 1\nname: alice\n")
	l.check(t, "member save "+whole, fmt.Sprintf(`error: %s is there, and no configuration that this would replace; --force replaces it: %s:2:1: unknown key "name"`, whole, whole))
	l.check(t, "config save "+file("empty", ""), "")
	l.check(t, "config save "+dir+" --force", "error: "+dir+": this is a directory, not a configuration")
	if got := l.run(t, "config save "+filepath.Join(dir, "none", "x")); !strings.Contains(got, "no such file or directory") {
		t.Error(got)
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(whole, link); err != nil {
		t.Fatal(err)
	}
	l.check(t, "config save "+link, "")
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if info, err = os.Stat(whole); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info, err)
	}
	if got, _ := os.ReadFile(whole); !strings.Contains(string(got), "name: bob") {
		t.Errorf("%s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".peerlab*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// slow is a Target whose change takes until it is told to go on.
type slow struct {
	Single
	begun, goOn chan struct{}
}

func (s slow) Apply(want func(string) string) error {
	close(s.begun)
	<-s.goOn
	return s.Single.Apply(want)
}

// TestCompletionDoesNotWait asks for offers while a change is being made.
func TestCompletionDoesNotWait(t *testing.T) {
	t.Parallel()
	values, err := testTable(t).Resolve()
	if err != nil {
		t.Fatal(err)
	}
	var level atomic.Value
	level.Store("warn")
	target := slow{
		Single: Single{
			Key: "log-level", Read: func() string { return level.Load().(string) },
			Set: func(v string) error { level.Store(v); return nil },
		},
		begun: make(chan struct{}), goOn: make(chan struct{}),
	}
	l := &lab{Runtime: NewRuntime(values, target)}
	if l.table, err = command.New(l.Commands()...); err != nil {
		t.Fatal(err)
	}
	var changing sync.WaitGroup
	changing.Go(func() { l.check(t, "config set log-level info", `{"field":"log-level","value":"info","was":"warn"}`) })
	<-target.begun
	for _, line := range []string{"config set log-l", "config set log-level w"} {
		if offers, _ := l.table.Complete(line, len(line), command.Live{}); len(offers) != 1 {
			t.Errorf("%q: %v", line, offers)
		}
	}
	close(target.goOn)
	changing.Wait()
	if got := l.Values().Value("log-level"); got != (Value{Text: "info", Layer: Console}) {
		t.Errorf("%+v", got)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for line, want := range map[string][]app.Suggestion{
		"config show log-l":             {{Text: "log-level", Description: "warn"}},
		"config set mo":                 {{Text: "mode", Description: "slow"}},
		"config set mode ":              {{Text: "fast"}, {Text: "slow", Description: "now"}},
		"config set insecure t":         {{Text: "true"}},
		"config set log-components pee": {{Text: "peer=debug"}, {Text: "peer=info"}, {Text: "peer=warn"}},
		"config set name ":              nil,
		"config set nosuch ":            nil,
		"memberlist show l":             {{Text: "limit", Description: "1h"}},
		"member show --":                {{Text: "--origin", Description: "say of each value where it comes from"}},
	} {
		offers, _ := l.table.Complete(line, len(line), command.Live{})
		if d := cmp.Diff(want, offers); d != "" {
			t.Errorf("%q:\n%s", line, d)
		}
	}
}

// What can change only at a start is shown, and not offered to be set.
func TestSettableFields(t *testing.T) {
	t.Parallel()
	var fields []Field
	for key, live := range map[string]Live{"name": AtStart, "limit": WhileStopped, "level": Always} {
		fields = append(fields, Field{Key: key, Kind: app.Text, Default: "x", Summary: "what it is", Live: live, Group: "all"})
	}
	table, err := New("test", fields, nil)
	if err != nil {
		t.Fatal(err)
	}
	values, err := table.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	commands, err := command.New(NewRuntime(values).Commands()...)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]app.Suggestion{
		"config set ":   {{Text: "level", Description: "x"}, {Text: "limit", Description: "x (changes before member start)"}},
		"config show n": {{Text: "name", Description: "x"}},
	} {
		offers, _ := commands.Complete(line, len(line), command.Live{})
		if d := cmp.Diff(want, offers); d != "" {
			t.Errorf("%q:\n%s", line, d)
		}
	}
}
