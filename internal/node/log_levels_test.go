package node

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

func TestComponentLevels(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := NewLogs(&out, "json", "warn", false, false, "peer", "membership", "chat")
	if err != nil {
		t.Fatal(err)
	}
	base := l.Logger()
	loggers := map[string]zerolog.Logger{"": base}
	for _, c := range l.Components() {
		loggers[c] = base.With().Str("component", c).Str("node", `a"component":"chat"`).Logger()
	}
	// written are the components whose debug line and whose warning come through.
	written := func() string {
		out.Reset()
		for _, c := range []string{"", "chat", "membership", "peer"} {
			log := loggers[c]
			log.Debug().Str("component", "membership").Msg(c + "/debug")
			log.Warn().Msg(c + "/warn")
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, message, _ := strings.Cut(line, `"message":"`)
			message, _, _ = strings.Cut(message, `"`)
			got = append(got, message)
		}
		return strings.Join(got, " ")
	}
	check := func(when, want string) {
		t.Helper()
		if got := written(); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("at first", "/warn chat/warn membership/warn peer/warn")
	must(l.SetComponentLevel("membership", "debug"))
	// The line without a component of its own names one as its first field, and counts as one of it.
	check("one is lower", "/debug /warn chat/warn membership/debug membership/warn peer/warn")
	must(l.SetComponentLevel("chat", "disabled"))
	check("one is off", "/debug /warn membership/debug membership/warn peer/warn")
	must(l.SetLevel("error"))
	check("the others are higher", "/debug membership/debug membership/warn")
	if d := cmp.Diff(map[string]string{"membership": "debug", "chat": "disabled"}, l.ComponentLevels()); d != "" {
		t.Error(d)
	}
	if got := l.Tail(100, "peer"); len(got) != 3 || !strings.Contains(got[2], "peer/warn") {
		t.Errorf("tail of one component: %q", got)
	}
	must(l.SetComponentLevels(nil))
	check("no levels of their own", "")
	for _, bad := range [][2]string{{"pear", "debug"}, {"peer", "loud"}, {"peer", "7"}} {
		if err := l.SetComponentLevel(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	must(l.SetLevel("debug"))
	check("all", "/debug /warn chat/debug chat/warn membership/debug membership/warn peer/debug peer/warn")
}

// BenchmarkDroppedLine is a debug line that nobody wants; with own levels, another component wants such lines.
func BenchmarkDroppedLine(b *testing.B) {
	for name, own := range map[string]map[string]string{"no-own-levels": nil, "another-wants-it": {"membership": "debug"}} {
		b.Run(name, func(b *testing.B) {
			l, err := NewLogs(io.Discard, "json", "warn", false, false, "peer", "membership")
			if err != nil {
				b.Fatal(err)
			}
			if err := l.SetComponentLevels(own); err != nil {
				b.Fatal(err)
			}
			log := l.Logger().With().Str("component", "peer").Str("node", "alice").Logger()
			b.ReportAllocs()
			for b.Loop() {
				log.Debug().Str("peer", "bob").Int("members", 12).Msg("a step of the protocol")
			}
		})
	}
}
