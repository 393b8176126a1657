//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/console/term/ptytest"
)

// atTerminal runs a program of these tests on a terminal, in a folder of its own.
func atTerminal(t *testing.T, rows, cols int, program string, args ...string) *ptytest.Terminal {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), homeAt(cmd.Dir, "TERM=xterm", "NO_COLOR=1", "PAGER=cat")...)
	return ptytest.Start(t, cmd, rows, cols)
}

// homeAt is an environment in which nothing of the user's is touched.
func homeAt(dir string, more ...string) []string {
	return append(more, "HOME="+dir, "XDG_STATE_HOME="+filepath.Join(dir, "state"), "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0")
}

// startBootstrap runs a bootstrap service until the end of the test, and returns its address.
func startBootstrap(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("peerlab", "bootstrap", "--listen", "127.0.0.1:0", "--store", "memory:")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	m := address.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no address in %q: %v", line, err)
	}
	return m[1]
}

// twoPeers runs alice and bob on terminals, until each sees the other.
func twoPeers(t *testing.T, rows, cols int) (alice, bob *ptytest.Terminal) {
	t.Helper()
	boot := startBootstrap(t)
	alice = atTerminal(t, rows, cols, "troubled", "peer", "--bootstrap", boot, "--name", "alice")
	alice.See("alice (1 alive)>")
	bob = atTerminal(t, 24, 90, "troubled", "peer", "--bootstrap", boot, "--name", "bob")
	bob.See("bob (2 alive)>")
	alice.See("alice (2 alive)>")
	return alice, bob
}

// atPrompt reports whether a screen ends with a prompt and this text.
func atPrompt(name, text string) func(screen string) bool {
	want := regexp.MustCompile(`(^|\n)` + name + `( \(\d+ alive\))?> ?` + regexp.QuoteMeta(text) + `$`)
	return want.MatchString
}

func TestPeersAtTerminals(t *testing.T) {
	t.Parallel()
	alice, bob := twoPeers(t, 24, 90)
	alice.Send("member info ")
	alice.See("bob    alive")
	bob.Send("msg hello alice\r")
	alice.Until("the message above the line that is being typed", func(screen string) bool {
		return strings.Contains(screen, "<bob> hello alice\nalice (2 alive)> member info")
	})
	alice.Send("\t\t\r")
	alice.See("state    alive")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("member info bo\x03member lst\r")
	alice.See(`unknown command "member lst"; did you mean "member list"`)
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("not run\x15\x04")
	alice.Ends(0)
	bob.See("* alice has left")
	bob.Until("a prompt that knows", func(screen string) bool { return strings.HasSuffix(screen, "bob (1 alive)>") })
	bob.Send("quit\r")
	bob.Ends(0)
}

// A peer that talks 200 times a second disturbs neither the line that is being typed nor the offers below it.
func TestTypeWhileAPeerTalks(t *testing.T) {
	t.Parallel()
	const lines = 400
	alice, bob := twoPeers(t, 24, 90)
	alice.Send("member info ")
	alice.See("bob    alive")
	bob.Send(fmt.Sprintf("trouble tell %d\r", lines))
	typed := "alive and kicking, typed while a peer talks"
	for i, r := range typed {
		alice.Send(string(r))
		alice.UntilOutput("another line", func(output string) bool { return strings.Count(output, "[bob] line") > i })
	}
	alice.Until("the whole text", func(screen string) bool {
		return strings.Contains(screen, "alice (2 alive)> member info "+typed)
	})
	alice.Send("\x15member info ")
	// All at once, because a look may come in the middle of a redraw; nothing is drawn after the last line.
	offers := regexp.MustCompile(`alice \(2 alive\)> member info\n +alice  alive, this peer[^\n]*\n +bob    alive[^\n]*$`)
	alice.Until("the last line, the text and all offers", func(screen string) bool {
		return strings.Contains(screen, "line 400 of") && strings.Count(screen, "alive)>") == 1 && offers.MatchString(screen)
	})
	screen := alice.Screen()
	whole := regexp.MustCompile(`^(\[bob\] line \d{3} of 400 \[31mred|alice \(2 alive\)> .*| +(alice|bob)  .*)$`)
	for line := range strings.SplitSeq(screen, "\n") {
		if !whole.MatchString(line) {
			t.Errorf("torn line %q", line)
		}
	}
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`\[bob\] line (\d+) of`).FindAllStringSubmatch(alice.Output(), -1) {
		seen[m[1]]++
	}
	for i := range lines {
		if n := fmt.Sprintf("%03d", i+1); seen[n] != 1 {
			t.Errorf("line %s was shown %d times", n, seen[n])
		}
	}
	if strings.Contains(alice.Output(), "\x1b[31m") || strings.Contains(alice.Output(), "\a") {
		t.Error("control characters of a peer reached the terminal")
	}
	alice.Send("\x03quit\r")
	alice.Ends(0)
}

func TestResizeWhileAPeerTalks(t *testing.T) {
	t.Parallel()
	alice, bob := twoPeers(t, 24, 80)
	alice.Send("msg before and aft")
	alice.See("before and aft")
	bob.Send("trouble tell 2000\r")
	alice.See("[bob] line")
	for _, size := range [][2]int{{20, 40}, {12, 100}, {6, 50}, {24, 60}} {
		alice.Resize(size[0], size[1])
		before := strings.Count(alice.Output(), "[bob] line")
		alice.UntilOutput("more lines", func(output string) bool { return strings.Count(output, "[bob] line") > before+3 })
		alice.Until("one prompt with the whole text", func(screen string) bool {
			return atPrompt("alice", "msg before and aft")(screen) && strings.Count(screen, "alive)>") == 1
		})
	}
	alice.Send("er\r")
	bob.See("<alice> before and after")
	bob.Send("\x03")
	bob.See("interrupted")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("quit\r")
	alice.Ends(0)
}

func TestPasteSixtyLines(t *testing.T) {
	t.Parallel()
	for name, around := range map[string][2]string{"plain": {"", ""}, "bracketed": {"\x1b[200~", "\x1b[201~"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice := atTerminal(t, 24, 80, "peerlab", "peer", "--name", "alice")
			alice.Until("a prompt", atPrompt("alice", ""))
			text := around[0]
			for i := range 60 {
				text += fmt.Sprintf("echo pasted-%02d\r", i)
			}
			alice.Send(text + around[1])
			alice.See("\npasted-59")
			alice.Until("a prompt", atPrompt("alice", ""))
			ran := regexp.MustCompile(`[^ ]pasted-(\d\d)\r`).FindAllStringSubmatch(alice.Output(), -1)
			for i, m := range ran {
				if m[1] != fmt.Sprintf("%02d", i) {
					t.Fatalf("line %s was run as number %d", m[1], i)
				}
			}
			if len(ran) != 60 {
				t.Errorf("%d of 60 lines were run", len(ran))
			}
			alice.Send("quit\r")
			alice.Ends(0)
		})
	}
}

func TestSixRows(t *testing.T) {
	t.Parallel()
	alice, bob := twoPeers(t, 6, 60)
	bob.Send("msg one\rmsg two\rmsg three\r")
	alice.See("<bob> three")
	alice.Send("member info ")
	alice.Until("messages, the prompt and the offers", func(screen string) bool {
		return regexp.MustCompile(`<bob> three\nalice \(2 alive\)> member info\n +alice  alive, .*\n +bob    alive`).MatchString(screen)
	})
	alice.Send("\t\t\r")
	alice.See("apps")
	alice.Until("a prompt", atPrompt("alice", ""))
	if strings.Contains(alice.Output(), "too small") || strings.Contains(alice.Output(), "\x1b[2J") {
		t.Error("the screen was cleared")
	}
	alice.Send("quit\r")
	alice.Ends(0)
}

func TestSignalsAtATerminal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, keys, see string
		signal          os.Signal
		code            int
	}{
		{"SIGTERM at the prompt", "half a li", "half a li", syscall.SIGTERM, 143},
		{"SIGTERM with the popup", "member info \t", "bob    alive", syscall.SIGTERM, 143},
		{"SIGTERM during a command", "trouble hang\r", "\nhanging", syscall.SIGTERM, 143},
		{"SIGHUP at the prompt", "", "", syscall.SIGHUP, 130},
		{"SIGINT at the prompt, and then quit", "", "", os.Interrupt, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			alice, bob := twoPeers(t, 24, 90)
			alice.Send(tc.keys)
			alice.See(tc.see)
			alice.Signal(tc.signal)
			if tc.code == 0 {
				alice.Send("quit\r")
			}
			alice.Ends(tc.code)
			bob.See("* alice has left")
		})
	}
}

func TestInterruptAtATerminal(t *testing.T) {
	t.Parallel()
	alice := atTerminal(t, 24, 80, "troubled", "peer", "--name", "alice")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("trouble hang\r")
	alice.See("\nhanging")
	alice.Send("\x03")
	alice.See("interrupted")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("echo this line goes\x03")
	alice.Until("an empty line", func(screen string) bool { return strings.HasSuffix(screen, "goes\nalice (1 alive)>") })
	alice.Send("echo still here\r")
	alice.See("\nstill here")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("\x03\x03")
	alice.Ends(0)
}

// A command that does not stop is left to itself, and the user is told so.
func TestStuckCommandAtATerminal(t *testing.T) {
	t.Parallel()
	alice := atTerminal(t, 24, 100, "troubled", "peer", "--name", "alice")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("trouble stuck\r")
	alice.See("\nstuck")
	alice.Send("\x03")
	alice.See("interrupted: trouble stuck has not stopped 3s after it was cancelled, and is left to itself\n")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("quit\r")
	alice.Ends(0)
}

// An application whose completion hangs takes nothing from the user but its offers: no key, no Ctrl-C, no signal.
func TestHangingCompletionAtATerminal(t *testing.T) {
	t.Parallel()
	alice := atTerminal(t, 24, 90, "troubled", "peer", "--name", "alice")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("trouble cblock wo\trd\r")
	alice.See("\ntook word")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("trouble cblock this line goes\x03")
	alice.Until("an empty line", func(screen string) bool { return strings.HasSuffix(screen, "goes\nalice (1 alive)>") })
	alice.Send("trouble cblock half")
	alice.See("trouble cblock half")
	alice.Signal(syscall.SIGTERM)
	alice.Ends(143) // which looks at the terminal, too
}

// While init waits for a bootstrap service that is not there, commands answer, and a leave ends the waiting and not the console.
func TestCommandsWhileInitWaits(t *testing.T) {
	t.Parallel()
	alice := atTerminal(t, 24, 120, "peerlab", "peer", "--name", "alice", "--bootstrap", "127.0.0.1:1")
	alice.See("bootstrap service 127.0.0.1:1 is not reachable")
	alice.Send("mute on\rwatch -n 500ms mute\r")
	alice.UntilOutput("that lines of the init are kept back", regexp.MustCompile(`not_shown +[1-9]`).MatchString)
	alice.Send("\x03")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("mute off\rchat start\r")
	alice.See("error: the step before still waits for the bootstrap service 127.0.0.1:1, which is not reachable")
	alice.Send("member leave --timeout 5s\r")
	alice.See("goodbye  not needed: this peer had not come into the group")
	alice.See("init: ended, because the peer was told to leave")
	alice.Send("echo still here\r")
	alice.See("\nstill here")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("quit\r")
	alice.Ends(0)
}

// The peer survives a command that panics, and the stack is for the log.
func TestPanicAtATerminal(t *testing.T) {
	t.Parallel()
	alice, bob := twoPeers(t, 24, 90)
	alice.Send("log on all.log\rtrouble panic\r")
	alice.See("error: the command panicked: it was no mistake")
	alice.Until("a prompt", atPrompt("alice", ""))
	if screen := alice.Output(); strings.Contains(screen, "goroutine") || strings.Contains(screen, ".go:") {
		t.Error("the stack is on the screen")
	}
	alice.Send("shell grep -c trouble_test.go all.log\r")
	alice.See("\n1\n")
	bob.Send("member info alice\r")
	bob.See("state    alive")
	alice.Send("quit\r")
	alice.Ends(0)
}

// While a member is suspected the prompt is red, until it answers again.
func TestPromptTurnsRed(t *testing.T) {
	t.Parallel()
	boot := startBootstrap(t)
	alice := atTerminal(t, 24, 90, "peerlab", "peer", "--bootstrap", boot, "--name", "alice", "--profile", "fast", "--color", "always")
	alice.See("alice (1 alive)>")
	bob := atTerminal(t, 24, 90, "peerlab", "peer", "--bootstrap", boot, "--name", "bob", "--profile", "fast")
	bob.See("bob (2 alive)>")
	alice.See("alice (2 alive)>")
	bob.Signal(syscall.SIGSTOP)
	const red, blue = "\x1b[0;91;49malice", "\x1b[0;94;49malice"
	alice.UntilOutput("a red prompt", func(output string) bool { return strings.Contains(output, red) })
	bob.Signal(syscall.SIGCONT)
	alice.UntilOutput("a prompt that is not red any more", func(output string) bool {
		return strings.LastIndex(output, blue) > strings.LastIndex(output, red)
	})
	for _, peer := range []*ptytest.Terminal{alice, bob} {
		peer.Send("\x15quit\r")
		peer.Ends(0)
	}
}

// Ctrl-C is the pager's while it has the terminal, and does not leave it in another mode.
func TestInterruptInThePager(t *testing.T) {
	t.Parallel()
	need(t, "less", "it is the pager")
	alice := atTerminal(t, 8, 80, "env", "PAGER=less", "peerlab", "peer", "--name", "alice")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("help\r")
	alice.See("development")
	alice.Send("\x03")
	alice.UntilOutput("the bell of less", func(output string) bool { return strings.Contains(output, "\a") })
	again := time.NewTicker(200 * time.Millisecond) // less may drop what is typed while it handles the signal
	defer again.Stop()
	for range 50 {
		if strings.Contains(alice.Screen(), "(END)") {
			break
		}
		alice.Send("G")
		<-again.C
	}
	alice.See("(END)")
	alice.Send("q")
	alice.Until("a prompt, and the screen as before", func(screen string) bool {
		return strings.HasSuffix(screen, "alice (1 alive)> help\nalice (1 alive)>")
	})
	alice.Send("echo back again\r")
	alice.See("\nback again")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("help\r")
	alice.See("development")
	alice.Signal(syscall.SIGTERM) // ends the pager too
	alice.Ends(143)
}
