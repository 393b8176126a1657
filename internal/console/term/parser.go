//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	prompt "github.com/c-bata/go-prompt"
	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"
)

const (
	// pollWait is how long one read waits for keys; go-prompt calls again at once.
	pollWait = 50 * time.Millisecond
	// twice is how close two Ctrl-C must be to end the console.
	twice = time.Second
)

// How an Input of go-prompt ended.
type ending int

const (
	endEOF   ending = iota // Ctrl-D on an empty line, or a key that stop injected
	endEnter               // the user pressed Enter
	endRedo                // the window has another size: the line must be edited on
)

// parser is the ConsoleParser: it has the terminal raw between Setup and TearDown, and hands over
// one key at a time. go-prompt calls Read from a goroutine of its own.
type parser struct {
	fd     int
	onRedo func() // called just before the key that ends Input for a redo

	mu          sync.Mutex
	cooked      *xterm.State // guarded by mu, like all below; as the terminal was found
	err         error        // the first failure of Setup or TearDown, which go-prompt does not report
	active      bool         // whether a line is edited
	gate        bool         // closed after Enter: go-prompt would lose what is read before the next Setup
	held        bool         // closed after Ctrl-D, until go-prompt has deleted a character and goes on
	end         ending
	keys        [][]byte  // read and not yet handed over
	partial     []byte    // the begin of a key
	cr          bool      // whether the byte read last was a carriage return
	pasting     bool      // what comes was pasted
	stopping    bool      // Ctrl-C and Ctrl-D come before all else
	redo        bool      // an Enter that is not the user's comes before all else
	refresh     bool      // a key that does nothing but draw is wanted
	choosing    bool      // whether the last key moves the selection
	interrupted time.Time // when the last key was Ctrl-C, else zero
}

func newParser(fd int) *parser { return &parser{fd: fd, onRedo: func() {}} }

// Setup makes the terminal raw, but lets a line feed begin a new line, as go-prompt expects.
func (p *parser) Setup() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	state, err := xterm.MakeRaw(p.fd)
	if err != nil {
		return p.fail(err)
	}
	if p.cooked == nil {
		p.cooked = state
	}
	t, err := unix.IoctlGetTermios(p.fd, getTermios)
	if err != nil {
		return p.fail(err)
	}
	t.Oflag |= unix.OPOST | unix.ONLCR
	if err := unix.IoctlSetTermios(p.fd, setTermios, t); err != nil {
		return p.fail(err)
	}
	p.active, p.gate, p.held, p.redo, p.end = true, false, false, false, endEOF
	return p.tell(pasteOn)
}

// tell writes to the terminal itself; mu is held.
func (p *parser) tell(sequence string) error {
	_, err := unix.Write(p.fd, []byte(sequence))
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil // a terminal that takes nothing now need not know of pastes
	}
	return p.fail(err)
}

// TearDown puts the terminal back as it was found. It may be called at any time, and more than once.
func (p *parser) TearDown() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active = false
	if p.cooked == nil {
		return nil
	}
	return errors.Join(p.tell(pasteOff), p.fail(xterm.Restore(p.fd, p.cooked)))
}

func (p *parser) fail(err error) error {
	if p.err == nil {
		p.err = err
	}
	return err
}

// GetWinSize is the size of the window; 80 by 24 where the terminal does not know it.
func (p *parser) GetWinSize() *prompt.WinSize {
	cols, rows, err := xterm.GetSize(p.fd)
	if err != nil || cols <= 0 || rows <= 0 {
		cols, rows = 80, 24
	}
	return &prompt.WinSize{Row: uint16(rows), Col: uint16(cols)}
}

// size is GetWinSize for those who count rows first.
func (p *parser) size() (rows, cols int) {
	w := p.GetWinSize()
	return int(w.Row), int(w.Col)
}

// Read returns the next key, or EAGAIN when there is none for now.
func (p *parser) Read() ([]byte, error) {
	if key, ok := p.next(); ok {
		return key, nil
	}
	if err := p.fill(); err != nil {
		return nil, err
	}
	if key, ok := p.next(); ok {
		return key, nil
	}
	return nil, unix.EAGAIN
}

// fill waits a little for input and splits it into keys.
func (p *parser) fill() error {
	p.mu.Lock()
	gate := p.gate || p.held
	p.mu.Unlock()
	if gate {
		return unix.EAGAIN
	}
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}} //nolint:gosec // a file descriptor
	n, err := unix.Poll(fds, int(pollWait/time.Millisecond))
	if err != nil {
		return unix.EAGAIN // EINTR
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	data := p.partial
	if n > 0 {
		if data, err = p.readOn(data); err != nil { // the terminal is gone
			p.stopping = true
			return nil
		}
	}
	keys, rest := splitKeys(data, n == 0)
	p.take(keys)
	p.partial = append([]byte(nil), rest...)
	return nil
}

// maxChunk is how many bytes are read at a time at most.
const maxChunk = 4096

// readOn reads what there is behind data, but nothing behind the end of a line or a Ctrl-D: that is for the program that
// the line starts, or for the one that reads from the terminal when this one has ended. What is pasted belongs together, and
// is read on. mu is held.
func (p *parser) readOn(data []byte) ([]byte, error) {
	pasting := p.pasting
	ready := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}} //nolint:gosec // a file descriptor
	for len(data) < maxChunk {
		var key [1]byte
		switch n, err := unix.Read(p.fd, key[:]); {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			return data, nil
		case err != nil:
			return nil, err
		case n <= 0:
			return nil, io.EOF
		}
		c := key[0]
		if c != '\n' || !p.cr { // else it is the second byte of one line end
			data = append(data, c)
		}
		p.cr = c == '\r'
		switch {
		case bytes.HasSuffix(data, []byte(pasteBegin)):
			pasting = true
		case bytes.HasSuffix(data, []byte(pasteEnd)):
			pasting = false
		case !pasting && (c == '\r' || c == '\n' || c == keyEOF):
			return data, nil
		}
		if n, err := unix.Poll(ready, 0); n <= 0 || err != nil {
			return data, nil
		}
	}
	return data, nil
}

// take adds keys that were read; mu is held.
func (p *parser) take(keys [][]byte) {
	for _, key := range keys {
		switch text := string(key); {
		case text == pasteBegin, text == pasteEnd:
			p.pasting = text == pasteBegin
			continue
		case p.pasting:
			key = pastedKey(key)
		}
		if len(key) > 0 {
			p.keys = append(p.keys, key)
		}
	}
}

// next takes the key that comes first.
func (p *parser) next() (key []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gate || p.held || !p.active:
		return nil, false
	case p.stopping:
		p.stopping = false
		p.keys = [][]byte{{keyEOF}}
		return []byte{keyInterrupt}, true
	case p.redo:
		p.redo, p.gate, p.end = false, true, endRedo
		p.onRedo()
		return []byte{'\r'}, true
	case len(p.keys) > 0:
		key, p.keys = p.keys[0], p.keys[1:]
		p.note(key)
		return key, true
	case p.refresh && !p.choosing:
		p.refresh = false
		return []byte{}, true
	}
	return nil, false
}

// note looks at a key of the user's before it is handed over.
func (p *parser) note(key []byte) {
	k := prompt.GetKey(key)
	p.choosing = chooses(k)
	before := p.interrupted
	p.interrupted = time.Time{}
	switch k {
	case prompt.Enter, prompt.ControlM:
		p.gate, p.end = true, endEnter
	case prompt.ControlD:
		p.held = true
	case prompt.ControlC:
		p.interrupted = time.Now()
		if p.interrupted.Sub(before) < twice {
			p.keys = [][]byte{{keyEOF}}
		}
	}
}

// release lets keys through after a Ctrl-D that did not end the Input.
func (p *parser) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
}

// stop makes the Input that runs, or the next one, end as by Ctrl-C and Ctrl-D.
func (p *parser) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
}

// interrupt is a Ctrl-C that came as a signal.
func (p *parser) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, []byte{keyInterrupt})
}

// wantRedo ends the Input that runs, if one does, so that it can begin again in a window of another size.
func (p *parser) wantRedo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.redo = p.active && !p.gate
}

// wantRefresh draws the prompt again, if one is live and the user does not choose from the popup.
func (p *parser) wantRefresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh = p.active && !p.gate
}

// ended tells how the last Input ended, and the first error of the terminal.
func (p *parser) ended() (ending, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end, p.err
}
