package console

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"peerlab.example/peerlab/internal/command"
)

// lines are lines as users and other programs may type them.
var lines = rapid.Custom(func(t *rapid.T) string {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{
			"member", "info", "list", "memberlist", "/", "echo", "alice", "two words", "log", "level", "help", "--format", "--format=", "=",
			"'", `"`, `\`, "#", ";", "\t", "\u00a0", "\u3000", "\u2028", "\x00", "\x1b[A", "\xff", "é", "!", "x", "1", "-", "--", " ", "  ",
		}),
		rapid.String(),
	)
	return strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
})

// No line may end a peer, whatever the cursor, and each offer, put in its place, is taken: what is wrong with
// the line then is never that word.
func TestNoLinePanicsAndOffersAreTaken(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	rapid.Check(t, func(t *rapid.T) {
		line := lines.Draw(t, "line")
		cursor := rapid.IntRange(-1, len(line)+1).Draw(t, "cursor")
		_, _ = exec.Table.Parse(line)
		if strings.HasPrefix(strings.TrimSpace(line), "trap") {
			return
		}
		offers, start := exec.Table.Complete(line, cursor, testLive())
		at := max(0, min(cursor, len(line)))
		if start < 0 || start > at || start < at && utf8.ValidString(line) && !utf8.RuneStart(line[start]) {
			t.Fatalf("the word begins at %d of %q, the cursor is at %d", start, line, at)
		}
		for _, o := range offers {
			_, err := exec.Table.Parse(line[:start] + o.Text)
			var syntax *command.SyntaxError
			var usage *command.UsageError
			switch {
			case errors.As(err, &syntax):
				t.Fatalf("%q with %q put in: %v", line, o.Text, err)
			case errors.As(err, &usage):
				// The offer may be the first of two words, or a flag without its value.
				missing := strings.Contains(usage.Msg, "missing") || strings.Contains(usage.Msg, "needs")
				if !missing && usage.Col == start+1 {
					t.Fatalf("%q with %q put in: %v", line, o.Text, err)
				}
			}
		}
	})
}

// The same for the whole way of a line through a script, and for the history.
func TestNoScriptPanics(t *testing.T) {
	t.Parallel()
	b, exec, _ := newTestBackend(t)
	only := newTestSession(t, onlyParse{NewLocal(exec, testLive())})
	h := NewHistory("")
	ctx, cancel := context.WithCancel(WithHistory(context.Background(), h))
	cancel() // commands that wait must not
	rapid.Check(t, func(t *rapid.T) {
		line := lines.Draw(t, "line")
		h.Add(line)
		_, _ = h.Expand(line)
		_ = only.RunScript(context.Background(), "script", strings.NewReader(line), io.Discard)
		_ = only.RunLines(context.Background(), "-e", line, io.Discard)
		_ = b.Execute(ctx, "echo "+line, io.Discard)
		for _, l := range h.Lines() {
			if l != command.Clean(l) {
				t.Fatalf("the history has %q", l)
			}
		}
	})
}

// onlyParse runs nothing.
type onlyParse struct{ *Local }

func (b onlyParse) ExecuteAs(_ context.Context, line string, _ io.Writer, _ command.Rendering) command.Outcome {
	_, err := b.exec.Table.Parse(line)
	return command.Outcome{Err: err}
}
