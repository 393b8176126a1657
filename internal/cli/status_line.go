package cli

import (
	"io"
	"sync"
	"time"

	runewidth "github.com/mattn/go-runewidth"
)

// statusEvery is how long a status line stays at least, so that it is drawn at most ten times a second.
const statusEvery = 100 * time.Millisecond

// statusLine is a terminal with one more line below what is printed, which tells what goes on. It is taken away before
// anything is printed, and comes back after it. It leaves the modes of the terminal as they are, and so there is
// nothing to restore when the process ends at once.
type statusLine struct {
	out   io.Writer // the terminal
	fd    uintptr   // of it
	cols  func() int
	color bool

	mu    sync.Mutex
	text  string    // guarded by mu; what is to be told, at any length
	shown string    // guarded by mu; what stands there
	drawn time.Time // guarded by mu; when that was drawn
	mid   bool      // guarded by mu; what was printed last has not ended its line
	over  bool      // guarded by mu
}

// Fd makes it a terminal for those who ask (see isTerminal).
func (s *statusLine) Fd() uintptr { return s.fd }

// Write prints to the terminal.
func (s *statusLine) Write(p []byte) (int, error) { return s.print(s.out, p) }

// besides is another writer on the same terminal.
func (s *statusLine) besides(w io.Writer) io.Writer { return besides{s, w} }

type besides struct {
	line *statusLine
	out  io.Writer
}

func (b besides) Fd() uintptr { return b.line.fd }

func (b besides) Write(p []byte) (int, error) { return b.line.print(b.out, p) }

func (s *statusLine) print(out io.Writer, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.mid = p[len(p)-1] != '\n'
	n, err := out.Write(p)
	s.draw()
	return n, err
}

// Set says what the line tells from now on; nothing takes it away.
func (s *statusLine) Set(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
	s.draw()
}

// Close takes the line away. What is printed later has none below it.
func (s *statusLine) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.erase()
}

// erase takes the line away, if it is there. When the window has become narrower since, most terminals have wrapped the line and
// a part of it is left; to go up and clear that would take away what was printed in those that have not. The lock is held.
func (s *statusLine) erase() {
	if s.shown != "" {
		s.shown = ""
		_, _ = io.WriteString(s.out, "\r\x1b[J") // a terminal that is gone ends the process by a signal
	}
}

// draw draws the line, unless it stands there already, was drawn a moment ago or has no place. The lock is held.
func (s *statusLine) draw() {
	text := cutWidth(s.text, s.cols()-leftFree)
	if text == "" {
		s.erase()
		return
	}
	if s.over || s.mid || text == s.shown || time.Since(s.drawn) < statusEvery {
		return
	}
	s.shown, s.drawn = text, time.Now()
	if s.color {
		text = "\x1b[2m" + text + "\x1b[0m"
	}
	_, _ = io.WriteString(s.out, "\r"+text+"\x1b[J") // over the one that stands there, so that nothing flickers
}

// leftFree is how many columns stay free, for the cursor and for the "^C" that the terminal shows, since a full
// row would begin another one.
const leftFree = 3

// cutWidth cuts a text to so many columns.
func cutWidth(s string, cols int) string {
	if cols < 1 {
		return ""
	}
	if runewidth.StringWidth(s) <= cols {
		return s
	}
	return runewidth.Truncate(s, cols, "…")
}
