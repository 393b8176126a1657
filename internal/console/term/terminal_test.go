//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"regexp"
	"strings"
	"testing"
)

func TestAlarmIsRed(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80, "NO_COLOR=")
	s.ready()
	s.Send("alarm\r")
	s.UntilOutput("a red prompt", func(raw string) bool { return strings.Contains(raw, "\x1b[0;91;49mme (0 alive)> ") })
	s.Send("quit\r")
	s.Ends(0)
}

// What is pasted is text, whatever it contains: no tab completes, and no key binding fires.
func TestBracketedPaste(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("\x1b[200~say a\tb\x15\x1b[A c\r\nsay two\x1b[201~")
	s.See("said <a b c>")
	s.Until("the second line waits for Enter", func(screen string) bool { return strings.HasSuffix(strings.TrimSpace(screen), "> say two") })
	s.Send("\x01\x05\r")
	s.See("said <two>")
	s.Send("quit\r")
	s.Ends(0)
	s.See("ended: <nil>")
	if raw := s.Output(); !strings.Contains(raw, pasteOn) || strings.LastIndex(raw, pasteOff) < strings.LastIndex(raw, pasteOn) {
		t.Error("the terminal is left in bracketed paste mode")
	}
}

// watch keeps its result at the bottom, in one place, while others talk.
func TestWatchStaysBelowTheLines(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 24, 60)
	s.ready()
	s.Send("watch -n 100ms say hello\r")
	s.See("line 400 of 400")
	s.Until("the block below the lines", func(screen string) bool {
		lines := strings.Split(strings.TrimSpace(screen), "\n")
		return len(lines) > 3 && lines[len(lines)-1] == "said <hello>" && strings.HasPrefix(lines[len(lines)-2], "every 100ms: say hello") &&
			chatLine.MatchString(lines[len(lines)-3]) && strings.Count(screen, "said <hello>") == 1
	})
	s.Send("\x03")
	// The terminal echoes ^C, which the block, if it is redrawn just then, wipes away.
	below := regexp.MustCompile(`said <hello>\n(\^C)?\nme \(400 alive\)>$`)
	s.Until("a prompt below the last result", func(screen string) bool { return below.MatchString(screen) })
	s.Send("quit\r")
	s.Ends(0)
}

// A long result goes through the pager, which has the terminal for itself.
func TestPager(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 10, 80, "PAGER=sed 's/^/paged /'; read key </dev/tty; echo the pager got $key; true")
	s.ready()
	s.Send("help\r")
	s.See("paged help COMMAND tells more.")
	s.Send("x\r")
	s.See("the pager got x")
	s.See("line 400 of 400") // held back meanwhile
	s.ready()
	s.Send("set pager off\rhelp\r")
	s.See("help COMMAND tells more.")
	s.Send("quit\r")
	s.Ends(0)
}

// What is typed behind the end of a line, before the command runs, is for the command; and behind Ctrl-D for whoever comes next.
func TestTypeAhead(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("member info bob | sh -c 'read line </dev/tty; echo got $line'\rfor the command\nsay for the prompt\r\nsay again\r\n")
	s.See("got for the command")
	s.See("said <for the prompt>")
	s.See("said <again>")
	s.ready()
	if screen := s.Screen(); strings.Contains(screen, "alive)>\n") {
		t.Errorf("a line end of two bytes was taken for two")
	}
	s.Send("\x04left for the shell\n")
	s.Ends(0)
	line, err := s.TypedAhead()
	if line != "left for the shell\n" {
		t.Errorf("left in the terminal: %q, %v", line, err)
	}
}
