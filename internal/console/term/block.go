package term

import (
	"bytes"

	runewidth "github.com/mattn/go-runewidth"

	"peerlab.example/peerlab/internal/console"
)

var _ console.Terminal = (*screen)(nil)

// Size implements console.Terminal.
func (s *screen) Size() (rows, cols int) { return s.size() }

// Block implements console.Terminal. The block is a frame like that of the prompt, which is not there while a command runs.
func (s *screen) Block(lines []string) {
	s.queue.flush() // what was said before stands above
	s.mu.Lock()
	defer s.mu.Unlock()
	if lines == nil {
		s.live, s.block = false, nil
		return
	}
	rows, cols := s.size()
	var b bytes.Buffer
	s.lift(&b)
	s.frame, s.block = s.frame[:0], []int{}
	for _, line := range lines[:min(len(lines), max(rows-1, 1))] {
		line = runewidth.Truncate(line, max(cols-1, 1), "…") // a full row would begin another one
		s.block = append(s.block, runewidth.StringWidth(line))
		s.frame = append(append(s.frame, line...), "\r\n"...)
	}
	s.live = true
	b.Write(s.frame)
	_, _ = s.out.Write(b.Bytes()) // a terminal that is gone ends the input too
}

// height is how many rows above the cursor the frame begins; mu is held. The rows of a block may have become more: most
// terminals wrap them when the window gets narrower.
func (s *screen) height() int {
	if s.block == nil {
		return s.shown.y
	}
	_, cols := s.size()
	y := 0
	for _, width := range s.block {
		y += 1 + max(width-1, 0)/max(cols, 1)
	}
	return y
}

// Pause implements console.Terminal.
func (s *screen) Pause() (resume func()) {
	s.queue.flush()
	s.mu.Lock()
	s.paused = true
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.paused = false
		s.mu.Unlock()
		s.queue.kick()
	}
}

// isPaused reports whether another program has the terminal.
func (s *screen) isPaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}
