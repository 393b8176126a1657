package console

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
)

func TestLogComponents(t *testing.T) {
	t.Parallel()
	b, _, log := newTestBackend(t)
	// run is what a line writes, or how it fails.
	run := func(line string) string {
		var out bytes.Buffer
		if o := b.Execute(context.Background(), line, &out); o.Err != nil {
			return "error: " + o.Err.Error()
		}
		return out.String()
	}
	for _, tt := range []struct{ line, want string }{
		{"log component membership debug", ""},
		{"log components", "COMPONENT   LEVEL  OWN\nmembership  debug  true\npeer        info   false\n"},
		{"log component membershp debug", `error: no component of the log is called "membershp"; did you mean "membership"?`},
		{"log component nosuchthing debug", `error: no component of the log is called "nosuchthing"; there are membership, peer`},
		{"log tail --component membership", "membership\n"},
		{"log tail 2 --component pear", `error: no component of the log is called "pear"; did you mean "peer"?`},
		{"log tail 2", "second[31m\nthird\n"},
	} {
		if d := cmp.Diff(tt.want, run(tt.line)); d != "" {
			t.Errorf("%s:\n%s", tt.line, d)
		}
	}
	if got := run("log component peer loud"); !strings.Contains(got, "loud") || !strings.HasPrefix(got, "error: ") {
		t.Errorf("a wrong level: %q", got)
	}
	for line, want := range map[string][]app.Suggestion{
		"log component ":                {{Text: "membership", Description: "debug"}, {Text: "peer", Description: "info, the default"}},
		"log component membership def":  {{Text: "default"}},
		"log tail --component p":        {{Text: "peer", Description: "info, the default"}},
		"log component membership disa": {{Text: "disabled"}},
	} {
		offers, _ := b.Complete(context.Background(), line, len(line))
		if d := cmp.Diff(want, offers); d != "" {
			t.Errorf("%q:\n%s", line, d)
		}
	}
	if run("log component membership default"); log.ComponentLevels()["membership"] != "" {
		t.Errorf("levels %v", log.ComponentLevels())
	}
}
