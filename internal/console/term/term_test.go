//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTypeAndComplete(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("member info al")
	s.See("albert  alive")
	s.See("alice   alive")
	s.Send("\t\t\r")
	s.See("info alice")
	s.ready()
	s.Send("say hello\r") // text and Enter in one chunk
	s.See("said <hello>")
	s.Send("quot\r")
	s.See(`unknown command "quot"; did you mean "quit"`)
	s.ready()
	s.Send("alive 7\r")
	s.See("me (7 alive)>")
	s.Send("quit\r")
	s.Ends(0)
	s.See("ended: <nil>")
}

func TestColorsAndMarks(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80, "NO_COLOR=")
	s.ready()
	s.Send("say grü世 x\r")
	s.See("said <grü世 x>")
	s.ready()
	if raw := s.Output(); !strings.Contains(raw, "\x1b[0;94;49m") {
		t.Errorf("no colours in %q", raw)
	}
	s.Send("quit\r")
	s.Ends(0)
}

func TestTabOnEmptyLine(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("\t")
	s.See("alive")
	s.See("change the prompt")
	s.Send("\t\t\x1b[B\x1b[B\x1b[A\x03")
	s.ready()
	s.Send("quit\r")
	s.Ends(0)
}

// go-prompt panics when offers vanish under the selection.
func TestMembersLeaveWhileChoosing(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("shrink\r")
	s.ready()
	for range 4 {
		s.Send("member info \t\t\t\t\x1b[B\x1b[B\t\x03")
	}
	s.Send("say whole\r")
	s.See("said <whole>")
	s.Send("quit\r")
	s.Ends(0)
}

func TestLinesAbovePrompt(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 24, 80)
	s.ready()
	s.Send("member info al")
	s.Until("lines, one prompt and the popup", func(screen string) bool {
		return strings.Contains(screen, "[chat]") && strings.Contains(screen, "alice   alive")
	})
	for _, r := range " typed while others talk" {
		s.Send(string(r))
	}
	s.See("line 400 of 400")
	s.Until("the whole line", func(screen string) bool {
		return strings.Contains(screen, "me (400 alive)> member info al typed while others talk")
	})
	screen := s.Screen()
	raw := s.Output()
	if n := strings.Count(screen, "alive)>"); n != 1 {
		t.Errorf("%d prompts on the screen:\n%s", n, screen)
	}
	for _, line := range strings.Split(screen, "\n") {
		if !chatLine.MatchString(line) && !strings.HasPrefix(line, "me (") {
			t.Errorf("torn line %q", line)
		}
	}
	var got []string
	for _, m := range regexp.MustCompile(`\[chat\] line (\d+) of`).FindAllStringSubmatch(raw, -1) {
		got = append(got, m[1])
	}
	if len(got) != 400 {
		t.Errorf("%d lines were written, want 400", len(got))
	}
	if strings.Contains(raw, "\x1b[31m") || strings.Contains(raw, "\a") {
		t.Error("control characters of a peer reached the terminal")
	}
	s.Send("\x03")
	s.ready()
	s.Send("quit\r")
	s.Ends(0)
}

var chatLine = regexp.MustCompile(`^\[chat\] line \d{3} of 400 \[31mred$`)

func TestLogAbovePrompt(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("later\rsay half")
	s.Until("the log line above the prompt", func(screen string) bool {
		return strings.Contains(screen, "me (0 alive)> later\nWRN a log line [2Jof a peer\nme (0 alive)> say half")
	})
	s.Send("\r")
	s.See("said <half>")
	s.Send("quit\r")
	s.Ends(0)
}

func TestInterruptCancelsCommand(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("wait\r")
	s.See("waiting")
	s.Send("\x03")
	s.See("interrupted")
	s.ready()
	s.Send("say still here\r")
	s.See("said <still here>")
	s.Send("half a li\x03")
	s.ready()
	s.Send("say the line was cleared\r")
	s.See("said <the line was cleared>")
	s.Send("crash\r")
	s.See("the command panicked: crashed")
	s.ready()
	s.Send("\x03\x03")
	s.Ends(0)
}

func TestCtrlD(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("say abc\x01\x04\x05\r") // delete the first character only
	s.See(`unknown command "ay"`)
	s.ready()
	s.Send("\x04")
	s.Ends(0)
	s.See("ended: <nil>")
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{"at the prompt": "some text", "while a command runs": "wait\r"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "plain", 24, 80)
			s.ready()
			s.Send(keys)
			if strings.HasSuffix(keys, "\r") {
				s.See("waiting")
			} else {
				s.See(keys)
			}
			s.Signal(syscall.SIGTERM)
			s.Ends(143)
		})
	}
}

func TestPanicRestoresTerminal(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("die\r")
	s.Ends(2)
	s.See("goroutine")
}

func TestPaste(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	var paste strings.Builder
	for i := range 60 {
		paste.WriteString("say pasted " + string(rune('A'+i/10)) + string(rune('0'+i%10)) + "\r")
	}
	s.Send(paste.String())
	s.See("said <pasted F9>")
	s.ready()
	n := strings.Count(s.Output(), "said <pasted ")
	if n != 60 {
		t.Errorf("%d of 60 pasted lines were run", n)
	}
	s.Send("quit\r")
	s.Ends(0)
}

func TestSmallWindow(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 6, 40)
	s.ready()
	s.Send("member info ")
	s.See("albert")
	s.Send("\t\t\t\t\r")
	s.See("info carol")
	s.ready()
	s.Send("say " + strings.Repeat("long ", 30)) // four rows of forty
	s.Until("the end of the line", func(screen string) bool { return strings.Count(screen, "long") >= 20 })
	s.Send("\r")
	s.See("long>")
	if strings.Contains(s.Output(), "too small") {
		t.Error("go-prompt cleared the screen")
	}
	s.ready()
	s.Send("quit\r")
	s.Ends(0)
}

func TestNarrowWindow(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 8, 16)
	s.Until("a prompt", func(screen string) bool { return strings.Contains(screen, "me") })
	s.Send("member info \t\t\t\x03")
	s.Send("quit\r")
	s.Ends(0)
}

func TestResize(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("say before and aft")
	s.See("before and aft")
	for _, cols := range []int{60, 50, 70} {
		s.Resize(20, cols)
	}
	s.Send("er")
	s.See("say before and after")
	s.Until("one prompt", func(screen string) bool { return strings.Count(screen, "alive)>") == 1 })
	s.Send("\r")
	s.See("said <before and after>")
	s.ready()
	s.Send("quit\r")
	s.Ends(0)
}

func TestFlood(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("flood\r")
	s.See("flood 19999")
	s.ready()
	n := strings.Count(s.Output(), "flood ")
	if n < 20000 {
		t.Errorf("%d of 20000 lines were shown", n)
	}
	s.Send("quit\r")
	s.Ends(0)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.Send("say one\rsay two\r say secret\r")
	s.See("said <secret>")
	s.ready()
	s.Send("\x1b[A\x1b[A\r") // twice up
	s.Until("say one again", func(screen string) bool { return strings.Count(screen, "said <one>") == 2 })
	s.Send("!say t\r")
	s.Until("say two again", func(screen string) bool { return strings.Count(screen, "said <two>") == 2 })
	s.ready()
	s.Send("say three\x15one\x12\r") // Ctrl-U, then Ctrl-R
	s.Until("say one once more", func(screen string) bool { return strings.Count(screen, "said <one>") == 3 })
	s.Send("history\r")
	s.See("1       say one")
	s.ready()
	s.Send("quit\r")
	s.Ends(0)
}

func TestTerminalGone(t *testing.T) {
	t.Parallel()
	s := start(t, "hangup", 24, 80) // not even the signal tells it
	s.ready()
	s.HangUp()
	s.Gone()
}

func TestLineModeWithoutTerminal(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=plain")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdin = strings.NewReader("say from a pipe # comment\n\nquit\nsay never\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("said <from a pipe>\nended: <nil>\n", string(out)); diff != "" {
		t.Error(diff)
	}
}
