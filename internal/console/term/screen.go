package term

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// screen is the ConsoleWriter: it draws what go-prompt asks for, and puts lines above the prompt.
//
// go-prompt draws in batches: it moves to the start of the prompt, hides the cursor, draws, shows the
// cursor and calls Flush. The bytes from HideCursor to Flush, the frame, draw the prompt wherever they are
// written. So a line goes above the prompt by moving to its start, clearing what is below, writing
// the line, and the frame again. go-prompt need not know: it moves relative to the cursor, which
// is at the same place in the frame as before.
type screen struct {
	out   io.Writer
	color bool
	size  func() (rows, cols int)

	// Of the goroutine that runs go-prompt.
	batch []byte
	start int // where the frame begins in batch; -1 if it has none
	at    cursor

	mu     sync.Mutex
	frame  []byte // guarded by mu, like all below
	live   bool   // whether the frame is on the screen
	shown  cursor // where the frame leaves the cursor
	hold   bool   // no line may be drawn: the window is being resized
	paused bool   // no line may be drawn: another program has the terminal
	block  []int  // the widths of the lines of the block that frame is, while a command runs; else nil
	redrew int    // if not 0, the new width for which the prompt is drawn again
	queue  *queue
}

func newScreen(out io.Writer, color bool, size func() (rows, cols int)) *screen {
	_, cols := size()
	s := &screen{out: out, color: color, size: size, start: -1, at: cursor{cols: cols}}
	s.queue = newQueue(s.draw)
	return s
}

// Line puts a line above the prompt, or prints it when there is none.
func (s *screen) Line(line string, wait bool) { s.queue.put(line, wait) }

// draw writes lines at once, unless they must wait.
func (s *screen) draw(take func() []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold || s.paused {
		return
	}
	lines := take()
	if len(lines) == 0 {
		return
	}
	var b bytes.Buffer
	s.lift(&b)
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	if s.live {
		b.Write(s.frame)
	}
	_, _ = s.out.Write(b.Bytes()) // a terminal that is gone ends the input too
}

// lift goes to where the frame begins and clears it away, if it is on the screen; mu is held.
func (s *screen) lift(b *bytes.Buffer) {
	if !s.live {
		return
	}
	if y := s.height(); y > 0 {
		fmt.Fprintf(b, "\x1b[%dA", y)
	}
	b.WriteString("\r\x1b[J")
}

// Flush writes a batch.
func (s *screen) Flush() error {
	if len(s.batch) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.batch
	s.live, s.block = s.start >= 0, nil
	if s.live {
		s.frame = append(s.frame[:0], s.batch[s.start:]...)
		s.shown = s.at
	} else if s.redrew > 0 {
		batch = s.takeAway()
		s.redrew = 0
	}
	_, err := s.out.Write(batch)
	s.batch, s.start = s.batch[:0], -1
	if s.hold {
		s.hold = false
		s.queue.kick()
	}
	return err
}

// takeAway goes to where the prompt began before the window got another width, and clears it away; mu is held. Most terminals
// wrap the rows of the prompt anew, some leave them as they are, and none tells. So of both places the one is taken that is
// nearer: a part of a prompt that is longer than a row may be left, but never is what stands above it cleared.
func (s *screen) takeAway() []byte {
	anew := (s.shown.x + s.shown.y*s.shown.cols) / s.redrew
	if up := min(s.shown.y, anew); up > 0 {
		return fmt.Appendf(nil, "\x1b[%dA\r\x1b[J", up)
	}
	return []byte("\r\x1b[J")
}

// pause keeps lines from being drawn until the next Flush, if a prompt is live.
func (s *screen) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = s.live && s.block == nil // who shows a block draws the next one soon
}

// redraw announces that the next Flush ends the prompt only to draw it again in a new width.
func (s *screen) redraw(cols int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redrew = cols
}

// resize tells the width. It must be called by the goroutine that runs go-prompt, while no frame is drawn.
func (s *screen) resize(cols int) { s.at = cursor{cols: cols} }

// close draws what is left. Lines that come later are still written, without a prompt.
func (s *screen) close() {
	s.mu.Lock()
	s.live, s.hold, s.paused = false, false, false
	s.mu.Unlock()
	s.queue.close()
}
