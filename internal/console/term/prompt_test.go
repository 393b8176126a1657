//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	prompt "github.com/c-bata/go-prompt"
	"github.com/google/go-cmp/cmp"
)

const (
	up   = "\x1b[A"
	down = "\x1b[B"
)

func TestEditingKeys(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	for keys, want := range map[string]string{
		"say one two three\x1bb\x1bb\x1bdzwei":         "one zwei three", // Alt-B, Alt-D
		"say one two three\x17\x17drei":                "one drei",       // Ctrl-W
		"one two\x01say \x05 three":                    "one two three",  // Ctrl-A, Ctrl-E
		"one two\x1b[Hsay \x1b[F three":                "one two three",  // Home, End
		"say one\x1b[1;5D\x1b[1;5D\x1b[1;5Cx":          "one",            // Ctrl-Left, Ctrl-Right: sayx
		"say one two\x1b[1;5D\x0b\x19\x19":             "one twotwo",     // Ctrl-K, Ctrl-Y
		"not this\x15say that":                         "that",           // Ctrl-U
		"say ab\x14":                                   "ba",             // Ctrl-T
		"say grüße 世界\x1b\x7fWelt":                     "grüße Welt",     // Alt-Backspace
		"say xone\x1b[D\x1b[D\x1b[D\x1b[D\x1b[3~\x05!": "one!",           // Left, Delete
		"say a\x7fb\x08c":                              "c",              // Backspace, Ctrl-H
	} {
		s.Send(keys + "\r")
		if strings.HasPrefix(keys, "say one\x1b[1;5D\x1b[1;5D") {
			s.See(`unknown command "sayx"`)
		} else {
			s.See("said <" + want + ">")
		}
		s.ready()
		s.Send("\x0c") // Ctrl-L
		s.Until("an empty screen", func(screen string) bool { return screen == "me (0 alive)>" })
	}
	s.Send("quit\r")
	s.Ends(0)
}

// Up goes through the lines that begin with what was typed, and Down comes back to it.
func TestHistoryByPrefix(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("say one\rmember info bob\rsay two\rmember info bob\rmember info carol\r")
	s.See("info carol")
	s.ready()
	at := func(text string) {
		t.Helper()
		line := regexp.MustCompile(`alive\)> ` + text + `(\n  [^\n]*)*$`) // with offers below
		s.Until("the line "+text, line.MatchString)
	}
	s.Send("say")
	s.See("print a text")
	s.Send(up)
	at("say two")
	s.Send(up)
	at("say one")
	s.Send(up + up)
	at("say one")
	s.Send(down)
	at("say two")
	s.Send("\x1b[D" + up) // a key that moves the cursor is no new text
	at("say one")
	s.Send(down + down)
	s.See("> say\n")
	s.Send("\x15memb" + up + up + up)
	at("member info bob")
	s.Send("\x03")
	s.ready()
	s.Send(up + up) // all lines again
	at("member info bob")
	s.Send(up)
	at("say two")
	s.Send("\x15nothing begins so" + up)
	at("member info carol")
	s.Send(down)
	at("nothing begins so")
	s.Send("\x15quit\r")
	s.Ends(0)
}

// go-prompt's own loop hangs when a signal of the window meets Enter, and its Input cannot tell Enter on an empty line from the end.
func TestEnterInAStormOfSignals(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	for i := range 40 {
		s.Signal(syscall.SIGWINCH)
		s.Send("\r")
		s.Signal(syscall.SIGWINCH)
		s.Send(fmt.Sprintf("say enter %d\r", i))
	}
	s.See("said <enter 39>")
	s.ready()
	if n := strings.Count(s.Output(), "said <enter "); n != 40 {
		t.Errorf("%d of 40 lines were run", n)
	}
	s.Send("quit\r")
	s.Ends(0)
	s.Until("nothing drawn after the end", func(screen string) bool { return strings.HasSuffix(screen, "alive)> quit\nended: <nil>") })
}

// Where there are more offers than rows, the last row says so.
func TestMoreOffers(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 6, 100) // three rows for offers
	s.ready()
	s.Send("member info ")
	s.Until("a hint", func(screen string) bool { return regexp.MustCompile(`bob +alive  … 1 more$`).MatchString(screen) })
	s.Send("\t\t\t")
	s.See("… 1 more")
	s.Send("\t")
	s.Until("no hint", func(screen string) bool {
		return strings.Contains(screen, "carol") && !strings.Contains(screen, "more")
	})
	s.Send("\t")
	s.See("… 1 more")
	s.Send("\x03quit\r")
	s.Ends(0)
}

// The popup knows what go-prompt shows, whatever is pressed.
func TestPopupFollowsGoPrompt(t *testing.T) {
	t.Parallel()
	const offers, rows = 7, 3
	var all []prompt.Suggest
	for i := range offers {
		all = append(all, prompt.Suggest{Text: fmt.Sprint(i)})
	}
	theirs := prompt.NewCompletionManager(func(prompt.Document) []prompt.Suggest { return all }, rows)
	theirs.Update(*prompt.NewDocument())
	p := popup{high: rows, offers: all, all: offers, selected: -1}
	for i, key := range []prompt.Key{
		prompt.Tab, prompt.Tab, prompt.Tab, prompt.Down, prompt.Up, prompt.Up, prompt.Up, prompt.Up, prompt.BackTab, prompt.BackTab,
		prompt.BackTab, prompt.BackTab, prompt.BackTab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Up, prompt.Tab,
		prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.Tab, prompt.BackTab, prompt.BackTab,
	} {
		switch { // as handleCompletionKeyBinding
		case key == prompt.Tab, key == prompt.Down && theirs.Completing():
			theirs.Next()
		case key == prompt.BackTab, key == prompt.Up && theirs.Completing():
			theirs.Previous()
		}
		p.choose(key)
		want, ok := theirs.GetSelectedSuggestion()
		got := prompt.Suggest{}
		if p.selected >= 0 {
			got = p.offers[p.selected]
		}
		if diff := cmp.Diff(want, got); diff != "" || ok != (p.selected >= 0) {
			t.Fatalf("after key %d: %s", i, diff)
		}
		if p.selected >= 0 && (p.selected < p.first || p.selected >= p.first+rows) {
			t.Fatalf("after key %d: %d is selected, and %d is the first on the screen", i, p.selected, p.first)
		}
	}
}
