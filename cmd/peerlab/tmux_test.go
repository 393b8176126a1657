//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/term"
)

// tmux is a server of its own with one window, in which a shell command runs.
type tmux struct {
	t      *testing.T
	folder string // of its socket, whose path must be short
}

func startTmux(t *testing.T, command string, env ...string) *tmux {
	t.Helper()
	need(t, "tmux", "this test wants a terminal of another make than vt10x")
	folder, err := os.MkdirTemp("", "tmux")
	if err != nil {
		t.Fatal(err)
	}
	m := &tmux{t: t, folder: folder}
	t.Cleanup(func() {
		_ = m.command("kill-server").Run() // it may have ended with its window
		_ = os.RemoveAll(folder)
	})
	start := m.command("-f", os.DevNull, "new-session", "-d", "-x", "90", "-y", "24", command)
	start.Env = append(start.Env, env...)
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v: %s", err, out)
	}
	return m
}

func (m *tmux) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(m.folder, "s")}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TMUX=")
	return cmd
}

func (m *tmux) do(args ...string) string {
	m.t.Helper()
	out, err := m.command(args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// keys presses keys by their names in tmux; everything else is typed.
func (m *tmux) keys(keys ...string) {
	m.t.Helper()
	m.do(append([]string{"send-keys"}, keys...)...)
}

// until waits until ok holds of the window.
func (m *tmux) until(what string, ok func(screen string) bool) {
	m.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	screen := ""
	for range 1500 { // half a minute
		screen = strings.TrimRight(m.do("capture-pane", "-p"), "\n")
		if ok(screen) {
			return
		}
		<-tick.C
	}
	m.t.Fatalf("never seen: %s; the screen is\n%s", what, screen)
}

func (m *tmux) see(text string) {
	m.t.Helper()
	m.until(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// resize changes the width, and waits until the program can know: tmux tells it a quarter of a second later.
func (m *tmux) resize(rows, cols int) {
	m.t.Helper()
	m.do("resize-window", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows))
	tty, err := os.OpenFile(strings.TrimSpace(m.do("display-message", "-p", "#{pane_tty}")), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer tty.Close()
	m.until("the new size", func(string) bool {
		c, r, err := term.GetSize(int(tty.Fd()))
		return err == nil && c == cols && r == rows
	})
}

func TestThroughTmux(t *testing.T) {
	t.Parallel()
	boot := startBootstrap(t)
	dir := t.TempDir()
	m := startTmux(t, "cd "+dir+"; stty -g >before; peerlab peer --name alice --bootstrap "+boot+"; echo code $?; stty -g >after; echo written; read wait",
		homeAt(dir, "NO_COLOR=1", "PAGER=cat")...)
	m.see("alice (1 alive)>")
	bob := atTerminal(t, 24, 90, "peerlab", "peer", "--name", "bob", "--bootstrap", boot)
	m.see("alice (2 alive)>")
	m.keys("member info b")
	m.see("bob  alive")
	m.keys("Tab", "Enter")
	m.see("apps")
	m.until("a prompt", atPrompt("alice", ""))

	text := "echo 漢字 and grüße in a line that is longer than the window will be " + strings.Repeat("word ", 8) + "end"
	m.keys(text)
	m.until("the text", func(screen string) bool {
		return strings.Contains(screen, "word end") || strings.Contains(screen, "word e\nnd")
	})
	m.resize(20, 50) // tmux wraps the lines on its screen anew
	bob.Send("msg after the resize\r")
	m.until("a whole prompt below the message", func(screen string) bool {
		_, below, ok := strings.Cut(screen, "<bob> after the resize\n")
		return ok && strings.ReplaceAll(below, "\n", "") == "alice (2 alive)> "+text
	})
	m.resize(24, 120)
	bob.Send("msg after the second\r")
	m.until("a whole prompt below the message", func(screen string) bool {
		_, below, ok := strings.Cut(screen, "<bob> after the second\n")
		return ok && strings.ReplaceAll(below, "\n", "") == "alice (2 alive)> "+text
	})
	if screen := m.do("capture-pane", "-p", "-S", "-"); !strings.Contains(screen, "<bob> after the resize\n<bob> after the second\n") {
		t.Errorf("something was cleared away:\n%s", screen)
	}
	m.keys("C-c")
	m.keys("watch member count", "Enter")
	m.see("every 2s: member count")
	m.keys("C-c")
	m.until("a prompt", atPrompt("alice", ""))
	m.keys("C-d")
	m.see("code 0")
	m.see("written")
	m.keys("Enter")
	bob.See("* alice has left")
	before, err := os.ReadFile(filepath.Join(dir, "before"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "after"))
	if err != nil || string(after) != string(before) {
		t.Errorf("%v: the terminal was %s, and is %s", err, before, after)
	}
}
