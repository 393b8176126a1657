package testcoord

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/invariant"
	peers "peerlab.example/peerlab/internal/lab"
)

const manualFile = "../../docs/suites.md"

func manual(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// piece is a piece of code in the manual.
type piece struct {
	line int // of its first line in the manual
	kind string
	text string
}

// pieces are those of the manual, in order.
func pieces(t *testing.T, text string) []piece {
	t.Helper()
	var out []piece
	open := false
	for i, l := range strings.SplitAfter(text, "\n") {
		kind, fence := strings.CutPrefix(strings.TrimRight(l, "\r\n"), "```")
		switch {
		case fence && !open:
			out = append(out, piece{line: i + 2, kind: kind})
			open = true
		case fence:
			open = false
		case open:
			out[len(out)-1].text += l
		}
	}
	if open {
		t.Error("a block of the manual is never closed")
	}
	return out
}

var declares = regexp.MustCompile(`(?m)^peers `)

// whole makes a suite of a piece of one: around it are peers, and a step. Line n of the piece is line n+1 of the suite.
func whole(text string) string {
	head := "peers alice bob carol dave erin p[1..9]"
	if declares.MatchString(text) {
		head = "# it has its own"
	}
	return head + "\n" + text + "\nalice init\n"
}

// TestManual checks that each piece of a suite in the manual is right, and as the formatter would write it.
func TestManual(t *testing.T) {
	t.Parallel()
	table, err := peers.Table([]func() app.App{func() app.App { return chat.New() }})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, b := range pieces(t, manual(t)) {
		switch b.kind {
		case "console":
			continue
		case "":
		default:
			t.Errorf("line %d: %q is no kind of block: console, or nothing for a piece of a suite", b.line-1, b.kind)
			continue
		}
		seen++
		opt := ParseOptions{Table: table, Read: func(string) ([]byte, error) { return []byte("peers alice\nall init\n"), nil }}
		if _, err := ParseWith(fmt.Sprintf("the block at line %d", b.line), []byte(whole(b.text)), opt); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(b.text, string(Format([]byte(b.text)))); d != "" {
			t.Errorf("line %d (-manual +formatted):\n%s", b.line, d)
		}
	}
	if seen < 10 {
		t.Errorf("only %d pieces of suites were found", seen)
	}
}

// TestManualTellsAbilities checks the table of what runners can do.
func TestManualTellsAbilities(t *testing.T) {
	t.Parallel()
	text := manual(t)
	runners := Runners()
	if head := "| | `" + strings.Join(runners, "` | `") + "` |\n"; !strings.Contains(text, head) {
		t.Fatalf("no table begins with %s", head)
	}
	for row, ability := range map[string]Ability{
		"`lab kill`": CanKill, "`lab restart`": CanRestart, "`lab freeze`, `thaw`": CanFreeze,
		"`lab clock`": CanClock, "`lab bootstrap`": CanBootstrap,
	} {
		_, rest, _ := strings.Cut(text, "\n| "+row+" | ")
		cells := strings.Split(strings.TrimSuffix(strings.SplitN(rest, "\n", 2)[0], " |"), " | ")
		if len(cells) != len(runners) {
			t.Errorf("no row %s with %d runners", row, len(runners))
			continue
		}
		for i, runner := range runners {
			if says := strings.HasPrefix(cells[i], "yes"); says != slices.Contains(abilities[runner], ability) {
				t.Errorf("%s, %s: the manual says %s", row, runner, cells[i])
			}
		}
	}
}

// codeSpan is code within a line.
var codeSpan = regexp.MustCompile("(?m)`[^`\n]+`")

// TestManualIsComplete checks that the manual has each word of the language.
func TestManualIsComplete(t *testing.T) {
	t.Parallel()
	text := manual(t)
	code := strings.Join(codeSpan.FindAllString(text, -1), " ")
	want := func(what string, names ...string) {
		for _, name := range names {
			if !regexp.MustCompile("[^A-Za-z_-]" + regexp.QuoteMeta(name) + "[^A-Za-z_-]").MatchString(code) {
				t.Errorf("the manual does not tell of the %s %s", what, name)
			}
		}
	}
	for word := range words() {
		want("word", word)
	}
	want("word", reserved...)
	want("word", "!", "?", "&", "x", "$NAME", "${NAME}")
	want("variable", "$"+varSelf, "$"+varIndex, "$"+varSeed, "$"+varRunner)
	want("action", labActions...)
	want("action", faultKinds...)
	want("action", bootstrapVerbs...)
	want("predicate", predicates...)
	want("state", states...)
	want("operator", operators...)
	want("profile", profiles...)
	want("condition", facts...)
	want("runner", Runners()...)
	want("quantile", slices.Sorted(maps.Keys(quantiles))...)
	for _, c := range invariant.Checks() {
		want("invariant", c.Name)
	}
	for kind, fields := range event.Kinds() {
		want("event", kind)
		if kind != "custom" {
			want("field", fields...)
		}
	}
}

// metricRows are the rows of the table of metrics.
func metricRows(metrics []app.Metric) string {
	var b strings.Builder
	for _, m := range metrics {
		labels := ""
		for _, l := range m.Labels {
			labels += "`" + l + "` "
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name, strings.TrimSpace(labels), m.Help)
	}
	return b.String()
}

// TestManualTellsMetrics checks the table of what peers with the chat tell.
func TestManualTellsMetrics(t *testing.T) {
	t.Parallel()
	table, err := peers.Table([]func() app.App{func() app.App { return chat.New() }})
	if err != nil {
		t.Fatal(err)
	}
	if want := metricRows(table.Metrics); !strings.Contains(manual(t), want) {
		t.Errorf("the manual does not have:\n%s", want)
	}
}
