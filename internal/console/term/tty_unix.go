//go:build unix

package term

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/c-bata/go-prompt"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Keys that the loop injects or looks for.
const (
	ctrlC = 0x03
	ctrlD = 0x04
	enter = '\r'
)

// twice is how soon a second Ctrl-C must follow to mean quit.
const twice = time.Second

// Available reports whether there is a terminal to open a prompt on.
func Available() bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) || os.Getenv("TERM") == "dumb" {
		return false
	}
	fd, err := openTTY()
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

func openTTY() (int, error) {
	return unix.Open("/dev/tty", unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
}

// tty is go-prompt's ConsoleParser: the keys of the terminal, and its modes.
type tty struct {
	fd     int
	cooked *term.State // the modes that were found, a copy

	mu     sync.Mutex
	keys   [][]byte  // guarded by mu; read and not handed over, one key or run of text each
	rest   []byte    // guarded by mu; the begin of a character or sequence whose end is still to come
	shut   bool      // guarded by mu; a line was handed over: no key is before the next Setup
	last   byte      // guarded by mu; the last control key handed over
	ctrlC  time.Time // guarded by mu; when that was Ctrl-C
	ending bool      // guarded by mu; the prompt is to end
	redo   bool      // guarded by mu; the next Enter is not the user's
}

var _ prompt.ConsoleParser = (*tty)(nil)

func newTTY() (*tty, error) {
	fd, err := openTTY()
	if err != nil {
		return nil, fmt.Errorf("/dev/tty: %w", err)
	}
	cooked, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("/dev/tty: %w", err)
	}
	return &tty{fd: fd, cooked: cooked}, nil
}

func (t *tty) close() error {
	_ = t.TearDown() // the terminal may be gone
	return unix.Close(t.fd)
}

// Setup switches to raw mode, but keeps that a line end returns to the first column.
func (t *tty) Setup() error {
	if _, err := term.MakeRaw(t.fd); err != nil {
		return err
	}
	modes, err := unix.IoctlGetTermios(t.fd, getTermios)
	if err != nil {
		return err
	}
	modes.Oflag |= unix.OPOST
	t.mu.Lock()
	t.shut = false
	t.mu.Unlock()
	return unix.IoctlSetTermios(t.fd, setTermios, modes)
}

// TearDown switches back to the modes that were found.
func (t *tty) TearDown() error { return term.Restore(t.fd, t.cooked) }

// GetWinSize is that of the terminal; 24 rows of 80 where it does not tell.
func (t *tty) GetWinSize() *prompt.WinSize {
	cols, rows, err := term.GetSize(t.fd)
	if err != nil || cols == 0 || rows == 0 {
		return &prompt.WinSize{Row: 24, Col: 80}
	}
	return &prompt.WinSize{Row: uint16(rows), Col: uint16(cols)} //nolint:gosec // the system has 16 bits
}

// Read hands one key over, or a run of text; EAGAIN when there is none. It never waits.
func (t *tty) Read() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return nil, unix.EAGAIN
	}
	if t.ending {
		// Ctrl-C empties the line, and Ctrl-D on an empty line ends it.
		t.keys, t.ending = [][]byte{{ctrlC}, {ctrlD}}, false
	}
	for len(t.keys) == 0 {
		buf := make([]byte, 4096)
		n, err := unix.Read(t.fd, buf)
		if n <= 0 {
			if err == nil { // the other end of the terminal is closed
				return nil, unix.EAGAIN
			}
			return nil, err
		}
		t.keys, t.rest = split(append(t.rest, buf[:n]...))
		t.keys = slices.DeleteFunc(t.keys, unknown)
	}
	key := t.keys[0]
	t.keys = t.keys[1:]
	t.note(key)
	return key, nil
}

// unknown reports whether go-prompt does not know a control key or sequence; it would insert it as text.
func unknown(key []byte) bool {
	return (key[0] < ' ' || key[0] == 0x7f) && prompt.GetKey(key) == prompt.NotDefined
}

// note remembers what the loop must know of a key. The lock is held.
func (t *tty) note(key []byte) {
	t.last = 0
	if len(key) != 1 {
		return
	}
	switch t.last = key[0]; t.last {
	case enter, '\n':
		t.shut = true
	case ctrlC:
		if now := time.Now(); now.Sub(t.ctrlC) < twice {
			t.keys = append([][]byte{{ctrlD}}, t.keys...)
		} else {
			t.ctrlC = now
		}
	}
}

// end lets Input return, as Ctrl-D on an empty line does.
func (t *tty) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending = true
}

// again lets Input return the line as it is, so that it can be edited on in a window of another size.
func (t *tty) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.redo = true
	t.keys = append(t.keys, []byte{enter})
}

// ended says how the last line ended: by the end of the input, or only to be begun again.
func (t *tty) ended() (eof, redo bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	redo, t.redo = t.redo, false
	return t.last == ctrlD, redo
}

// split takes what was read apart: control keys and escape sequences one by one, text in runs. go-prompt compares a whole
// read with its keys, and would take a pasted line end for text. rest is an incomplete character.
func split(b []byte) (keys [][]byte, rest []byte) {
	for len(b) > 0 {
		n := 1
		switch {
		case b[0] == 0x1b:
			n = sequence(b)
		case b[0] < ' ' || b[0] == 0x7f:
		default:
			n = 0
			for n < len(b) && b[n] >= ' ' && b[n] != 0x7f {
				n++
			}
			if n == len(b) {
				if tail := incomplete(b); tail > 0 {
					if n -= tail; n > 0 {
						keys = append(keys, b[:n])
					}
					return keys, append([]byte(nil), b[n:]...)
				}
			}
		}
		keys = append(keys, b[:n:n])
		b = b[n:]
	}
	return keys, nil
}

// sequence is how long the escape sequence at the start of b is (ECMA-48: CSI parameters, then a final byte; or SS3).
func sequence(b []byte) int {
	if len(b) < 2 || b[1] != '[' && b[1] != 'O' {
		return min(len(b), 1+min(1, len(b)-1)) // Escape alone, or Alt with a key
	}
	for i := 2; i < len(b); i++ {
		if b[i] >= 0x40 && b[i] <= 0x7e && (b[i] != '[' || i > 2) {
			return i + 1
		}
	}
	return len(b)
}

// incomplete is how many bytes at the end of b begin a character whose rest has not arrived.
func incomplete(b []byte) int {
	for n := 1; n <= min(3, len(b)); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= 0xc0 && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
