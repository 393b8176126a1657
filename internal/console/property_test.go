package console

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// anyLine makes lines as users and other programs may type them. Generators are for one test: they note things in themselves.
func anyLine() *rapid.Generator[string] { return rapid.Custom(drawLine) }

func drawLine(t *rapid.T) string {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{
			"member", "info", "list", "memberlist", "/", "echo", "alice", "two words", "log", "level", "help", "--format", "--format=", "=",
			"'", `"`, `\`, "#", ";", "\t", "\u00a0", "\u3000", "\u2028", "\x00", "\x1b[A", "\xff", "é", "!", "x", "1", "-", "--", " ", "  ",
		}),
		rapid.String(),
	)
	return strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
}

// No line may end a peer, whatever the cursor, and each offer, put in its place, is taken: what is wrong with
// the line then is never that word.
func TestNoLinePanicsAndOffersAreTaken(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	lines := anyLine()
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

// The same for a session, with variables, aliases and redirection; and to complete twice is to complete once.
func TestNoLinePanicsASession(t *testing.T) {
	t.Parallel()
	_, exec, _ := newTestBackend(t)
	s := newTestSession(t, onlyParse{NewLocal(exec, testLive())})
	for _, line := range []string{"x = 5", "name = 'two words'"} {
		if o := s.Execute(context.Background(), line, io.Discard); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	s.aliases = map[string]string{"ml": "member list", "loop": "loop"}
	part := rapid.OneOf(anyLine(), rapid.SampledFrom([]string{
		"$x", "${x}", "$na", "${", "x = ", "= ", "| cat", "> ", ">> ", "ml ", "loop ", "watch -n 1s ", "time ", "execute ", "set output ", "shell ", "member info ",
	}))
	rapid.Check(t, func(t *rapid.T) {
		line := strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, "parts"), "")
		st, err := s.read(line)
		if err == nil && st != nil {
			for now := range len(st.line) + 2 {
				if c := st.column(now); c < 0 || c > max(len(line), len(st.line))+2 {
					t.Fatalf("%q became %q: column %d is %d", line, st.line, now, c)
				}
			}
		}
		cursor := rapid.IntRange(-1, len(line)+1).Draw(t, "cursor")
		if strings.Contains(line, "trap") {
			return
		}
		offers, start := s.Complete(context.Background(), line, cursor)
		again, at := s.Complete(context.Background(), line, cursor)
		if !slices.Equal(offers, again) || start != at || start < 0 || start > max(0, min(cursor, len(line))) {
			t.Fatalf("%q at %d: %v from %d, then %v from %d", line, cursor, offers, start, again, at)
		}
		for _, o := range offers {
			filled := line[:start] + o.Text
			if _, err := command.Split(filled); err != nil {
				t.Fatalf("%q with %q put in: %v", line, o.Text, err)
			}
			if strings.ContainsAny(o.Text, " '\"") || strings.HasSuffix(o.Text, "/") {
				continue // the cursor is behind a quote then, or in another folder
			}
			if more, at := s.Complete(context.Background(), filled, len(filled)); at != start || !slices.ContainsFunc(more, func(m app.Suggestion) bool { return m.Text == o.Text }) {
				t.Fatalf("%q with %q put in offers %v from %d, and not from %d", line, o.Text, more, at, start)
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
	lines := anyLine()
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
