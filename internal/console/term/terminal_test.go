//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"strings"
	"testing"
)

func TestAlarmIsRed(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80, "NO_COLOR=")
	s.ready()
	s.send("alarm\r")
	s.until("a red prompt", func(string) bool { return strings.Contains(s.raw.String(), "\x1b[0;91;49mme (0 alive)> ") })
	s.send("quit\r")
	s.ends(0)
}

// What is pasted is text, whatever it contains: no tab completes, and no key binding fires.
func TestBracketedPaste(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("\x1b[200~say a\tb\x15\x1b[A c\r\nsay two\x1b[201~")
	s.see("said <a b c>")
	s.until("the second line waits for Enter", func(screen string) bool { return strings.HasSuffix(strings.TrimSpace(screen), "> say two") })
	s.send("\x01\x05\r")
	s.see("said <two>")
	s.send("quit\r")
	s.ends(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if raw := s.raw.String(); strings.Count(raw, pasteOn) == 0 || !strings.HasSuffix(raw[:strings.LastIndex(raw, "ended")], pasteOff) && strings.LastIndex(raw, pasteOff) < strings.LastIndex(raw, pasteOn) {
		t.Error("the terminal is left in bracketed paste mode")
	}
}

// watch keeps its result at the bottom, in one place, while others talk.
func TestWatchStaysBelowTheLines(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 24, 60)
	s.ready()
	s.send("watch -n 100ms say hello\r")
	s.see("line 400 of 400")
	s.until("the block below the lines", func(screen string) bool {
		lines := strings.Split(strings.TrimSpace(screen), "\n")
		return len(lines) > 3 && lines[len(lines)-1] == "said <hello>" && strings.HasPrefix(lines[len(lines)-2], "every 100ms: say hello") &&
			chatLine.MatchString(lines[len(lines)-3]) && strings.Count(screen, "said <hello>") == 1
	})
	s.send("\x03")
	s.until("a prompt below the last result", func(screen string) bool {
		return strings.HasSuffix(strings.TrimSpace(screen), "said <hello>\n^C\nme (400 alive)>")
	})
	s.send("quit\r")
	s.ends(0)
}

// A long result goes through the pager, which has the terminal for itself.
func TestPager(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 10, 80, "PAGER=sed 's/^/paged /'; read key </dev/tty; echo the pager got $key; true")
	s.ready()
	s.send("help\r")
	s.see("paged help COMMAND tells more.")
	s.send("x\r")
	s.see("the pager got x")
	s.see("line 400 of 400") // held back meanwhile
	s.ready()
	s.send("set pager off\rhelp\r")
	s.see("help COMMAND tells more.")
	s.send("quit\r")
	s.ends(0)
}
