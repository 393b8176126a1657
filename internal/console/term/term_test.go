//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestTypeAndComplete(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("member info al")
	s.see("albert  alive")
	s.see("alice   alive")
	s.send("\t\t\r")
	s.see("info alice")
	s.ready()
	s.send("say hello\r") // text and Enter in one chunk
	s.see("said <hello>")
	s.send("quot\r")
	s.see(`unknown command "quot"; did you mean "quit"`)
	s.ready()
	s.send("alive 7\r")
	s.see("me (7 alive)>")
	s.send("quit\r")
	s.ends(0)
	s.see("ended: <nil>")
}

func TestColorsAndMarks(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80, "NO_COLOR=")
	s.ready()
	s.send("say grü世 x\r")
	s.see("said <grü世 x>")
	s.ready()
	s.mu.Lock()
	if raw := s.raw.String(); !strings.Contains(raw, "\x1b[0;94;49m") {
		t.Errorf("no colours in %q", raw)
	}
	s.mu.Unlock()
	s.send("quit\r")
	s.ends(0)
}

func TestTabOnEmptyLine(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("\t")
	s.see("alive")
	s.see("change the prompt")
	s.send("\t\t\x1b[B\x1b[B\x1b[A\x03")
	s.ready()
	s.send("quit\r")
	s.ends(0)
}

// go-prompt panics when offers vanish under the selection.
func TestMembersLeaveWhileChoosing(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("shrink\r")
	s.ready()
	for range 4 {
		s.send("member info \t\t\t\t\x1b[B\x1b[B\t\x03")
	}
	s.send("say whole\r")
	s.see("said <whole>")
	s.send("quit\r")
	s.ends(0)
}

func TestLinesAbovePrompt(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 24, 80)
	s.ready()
	s.send("member info al")
	s.until("lines, one prompt and the popup", func(screen string) bool {
		return strings.Contains(screen, "[chat]") && strings.Contains(screen, "alice   alive")
	})
	for _, r := range " typed while others talk" {
		s.send(string(r))
	}
	s.see("line 400 of 400")
	s.until("the whole line", func(screen string) bool {
		return strings.Contains(screen, "me (400 alive)> member info al typed while others talk")
	})
	s.mu.Lock()
	screen := s.screen()
	raw := s.raw.String()
	s.mu.Unlock()
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
	s.send("\x03")
	s.ready()
	s.send("quit\r")
	s.ends(0)
}

var chatLine = regexp.MustCompile(`^\[chat\] line \d{3} of 400 \[31mred$`)

func TestLogAbovePrompt(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("later\rsay half")
	s.until("the log line above the prompt", func(screen string) bool {
		return strings.Contains(screen, "me (0 alive)> later\nWRN a log line [2Jof a peer\nme (0 alive)> say half")
	})
	s.send("\r")
	s.see("said <half>")
	s.send("quit\r")
	s.ends(0)
}

func TestInterruptCancelsCommand(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("wait\r")
	s.see("waiting")
	s.send("\x03")
	s.see("interrupted")
	s.ready()
	s.send("say still here\r")
	s.see("said <still here>")
	s.send("half a li\x03")
	s.ready()
	s.send("say the line was cleared\r")
	s.see("said <the line was cleared>")
	s.send("crash\r")
	s.see("the command panicked: crashed")
	s.ready()
	s.send("\x03\x03")
	s.ends(0)
}

func TestCtrlD(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("say abc\x01\x04\x05\r") // delete the first character only
	s.see(`unknown command "ay"`)
	s.ready()
	s.send("\x04")
	s.ends(0)
	s.see("ended: <nil>")
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{"at the prompt": "some text", "while a command runs": "wait\r"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "plain", 24, 80)
			s.ready()
			s.send(keys)
			if strings.HasSuffix(keys, "\r") {
				s.see("waiting")
			} else {
				s.see(keys)
			}
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			s.ends(143)
		})
	}
}

func TestPanicRestoresTerminal(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("die\r")
	s.ends(2)
	s.see("goroutine")
}

func TestPaste(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	var paste strings.Builder
	for i := range 60 {
		paste.WriteString("say pasted " + string(rune('A'+i/10)) + string(rune('0'+i%10)) + "\r")
	}
	s.send(paste.String())
	s.see("said <pasted F9>")
	s.ready()
	s.mu.Lock()
	n := strings.Count(s.raw.String(), "said <pasted ")
	s.mu.Unlock()
	if n != 60 {
		t.Errorf("%d of 60 pasted lines were run", n)
	}
	s.send("quit\r")
	s.ends(0)
}

func TestSmallWindow(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 6, 40)
	s.ready()
	s.send("member info ")
	s.see("albert")
	s.send("\t\t\t\t\r")
	s.see("info carol")
	s.ready()
	s.send("say " + strings.Repeat("long ", 30)) // four rows of forty
	s.until("the end of the line", func(screen string) bool { return strings.Count(screen, "long") >= 20 })
	s.send("\r")
	s.see("long>")
	s.mu.Lock()
	if strings.Contains(s.raw.String(), "too small") {
		t.Error("go-prompt cleared the screen")
	}
	s.mu.Unlock()
	s.ready()
	s.send("quit\r")
	s.ends(0)
}

func TestNarrowWindow(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 8, 16)
	s.until("a prompt", func(screen string) bool { return strings.Contains(screen, "me") })
	s.send("member info \t\t\t\x03")
	s.send("quit\r")
	s.ends(0)
}

func TestResize(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("say before and aft")
	s.see("before and aft")
	for _, cols := range []int{60, 50, 70} {
		s.mu.Lock()
		s.vt.Resize(cols, 20)
		s.mu.Unlock()
		if err := unix.IoctlSetWinsize(s.fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 20, Col: uint16(cols)}); err != nil {
			t.Fatal(err)
		}
	}
	s.send("er")
	s.see("say before and after")
	s.until("one prompt", func(screen string) bool { return strings.Count(screen, "alive)>") == 1 })
	s.send("\r")
	s.see("said <before and after>")
	s.ready()
	s.send("quit\r")
	s.ends(0)
}

func TestFlood(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("flood\r")
	s.see("flood 19999")
	s.ready()
	s.mu.Lock()
	n := strings.Count(s.raw.String(), "flood ")
	s.mu.Unlock()
	if n < 20000 {
		t.Errorf("%d of 20000 lines were shown", n)
	}
	s.send("quit\r")
	s.ends(0)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := start(t, "plain", 24, 80)
	s.ready()
	s.send("say one\rsay two\r say secret\r")
	s.see("said <secret>")
	s.ready()
	s.send("\x1b[A\x1b[A\r") // twice up
	s.until("say one again", func(screen string) bool { return strings.Count(screen, "said <one>") == 2 })
	s.send("!say t\r")
	s.until("say two again", func(screen string) bool { return strings.Count(screen, "said <two>") == 2 })
	s.ready()
	s.send("say three\x15one\x12\r") // Ctrl-U, then Ctrl-R
	s.until("say one once more", func(screen string) bool { return strings.Count(screen, "said <one>") == 3 })
	s.send("history\r")
	s.see("1       say one")
	s.ready()
	s.send("quit\r")
	s.ends(0)
}

func TestTerminalGone(t *testing.T) {
	t.Parallel()
	s := start(t, "hangup", 24, 80) // not even the signal tells it
	s.ready()
	_ = s.slave.Close()
	if err := s.master.Close(); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case _ = <-s.waited:
	case <-timer.C:
		t.Fatal("it does not end when its terminal is gone")
	}
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
