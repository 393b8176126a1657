package console

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
)

func TestBuiltins(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		line, out, err string
	}{
		{"help member list", "member list\n  list the members\n\nexample\n  member list\n", ""},
		{"help memberlist", "member list\n  list the members\n\nexample\n  member list\n", ""},
		{"help exit", "quit\n  leave the group and end the peer; at a console elsewhere, end only the console\n\nexample\n  quit\naliases\n  exit\n", ""},
		{"help mebmer", "", `there is no command or group "mebmer"; did you mean "member"?`},
		{"help nothing-like-it", "", `there is no command or group "nothing-like-it"; help lists them`},
		{"echo it's   'a  b'", "it's a  b\n", ""},
		{"echo", "\n", ""},
		{"echo --flag -x", "--flag -x\n", ""},
		{"log", "level  info\n", ""},
		{"log tail 2", "second[31m\nthird\n", ""},
		{"log level loud", "", `log level: level: "loud" is none of`},
		{"history", "", "there is no history without a prompt"},
	} {
		b, _, _ := newTestBackend(t)
		var out bytes.Buffer
		o := b.Execute(context.Background(), tc.line, &out)
		if diff := cmp.Diff(tc.out, out.String()); diff != "" {
			t.Errorf("%s:\n%s", tc.line, diff)
		}
		if !strings.HasPrefix(message(o.Err), tc.err) || tc.err == "" && o.Err != nil {
			t.Errorf("%s: error %q, want %q", tc.line, message(o.Err), tc.err)
		}
	}
}

func TestHelpOfAll(t *testing.T) {
	t.Parallel()
	b, exec, _ := newTestBackend(t)
	help := func(of string) string {
		var out bytes.Buffer
		if o := b.Execute(context.Background(), "help "+of, &out); o.Err != nil {
			t.Errorf("help %s: %v", of, o.Err)
		}
		return out.String()
	}
	all := help("")
	for _, s := range exec.Table.Specs() {
		if !strings.Contains(all, s.Summary) {
			t.Errorf("help does not tell about %s", s.Name)
		}
		if !strings.Contains(help(s.Name), s.Example) {
			t.Errorf("help %s has no example", s.Name)
		}
		if _, err := exec.Table.Parse(s.Example); err != nil {
			t.Errorf("the example of %s: %v", s.Name, err)
		}
	}
	if got := help("member"); !strings.Contains(got, "member list") || strings.Contains(got, "echo") {
		t.Errorf("help of a group: %q", got)
	}
}

func TestLogCommands(t *testing.T) {
	t.Parallel()
	b, _, log := newTestBackend(t)
	for _, line := range []string{"log level debug", "log on some.log"} {
		if o := b.Execute(context.Background(), line, &bytes.Buffer{}); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	if log.level != "debug" || log.file != "some.log" {
		t.Errorf("level %q, file %q", log.level, log.file)
	}
	if o := b.Execute(context.Background(), "log off", &bytes.Buffer{}); o.Err != nil || log.file != "" {
		t.Errorf("log off: %v, file %q", o.Err, log.file)
	}
	for _, s := range NewBuiltins(nil).logSpecs() {
		if _, err := s.Run(context.Background(), nil, app.Args{}); err == nil {
			t.Errorf("%s without a log succeeds", s.Name)
		}
	}
}
