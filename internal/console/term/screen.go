package term

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/c-bata/go-prompt"
	"github.com/mattn/go-runewidth"
)

// screen is go-prompt's ConsoleWriter. go-prompt draws a frame in this order: to the first column of the
// prompt, HideCursor, the prompt with line and offers, ShowCursor, Flush. So what comes from HideCursor to Flush
// draws the whole prompt again anywhere, and the cursor's way in between tells where it then stands.
type screen struct {
	out   io.Writer
	color bool

	// Of the batch that go-prompt writes, by its one goroutine:
	batch bytes.Buffer
	frame int // where in batch the frame begins; -1 when there is none
	x, y  int // the cursor, from the first column of the prompt

	mu   sync.Mutex
	cols int      // guarded by mu
	last []byte   // guarded by mu; the frame on the screen; nil when there is no prompt
	down int      // guarded by mu; how many rows below the prompt's first the cursor stands
	hold bool     // guarded by mu; lines wait while the window changes its size
	held []string // guarded by mu
}

var _ prompt.ConsoleWriter = (*screen)(nil)

func newScreen(out io.Writer, color bool) *screen {
	return &screen{out: out, color: color, frame: -1, cols: 80}
}

// Println prints a line above the prompt, or just prints it when there is none. Any goroutine may call it.
func (s *screen) Println(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold {
		s.held = append(s.held, line)
		return
	}
	s.write(line)
}

// write prints lines, and the prompt again below them. The lock is held.
func (s *screen) write(lines ...string) {
	var b bytes.Buffer
	if s.last != nil {
		if s.down > 0 {
			fmt.Fprintf(&b, "\x1b[%dA", s.down)
		}
		b.WriteString("\r\x1b[J")
	}
	for _, l := range lines {
		b.WriteString(strings.ReplaceAll(l, "\n", "\r\n") + "\r\n")
	}
	b.Write(s.last)
	_, _ = s.out.Write(b.Bytes()) // a terminal that is gone ends the input too
}

// resize takes a new width.
func (s *screen) resize(cols int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cols = cols
}

// release prints the lines that waited.
func (s *screen) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = false
	if len(s.held) > 0 {
		s.write(s.held...)
		s.held = nil
	}
}

// holdLive lets lines wait while the size of the window changes, if there is a prompt.
func (s *screen) holdLive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = s.hold || s.last != nil
}

// isLive reports whether there is a prompt.
func (s *screen) isLive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last != nil
}

// Flush writes the batch in one piece.
func (s *screen) Flush() error {
	s.mu.Lock()
	s.last = nil
	if s.frame >= 0 {
		s.last, s.down = bytes.Clone(s.batch.Bytes()[s.frame:]), s.y
	}
	_, err := s.out.Write(s.batch.Bytes())
	s.batch.Reset()
	s.frame, s.x, s.y = -1, 0, 0
	drawn := s.last != nil
	s.mu.Unlock()
	if drawn {
		s.release()
	}
	return err
}

// HideCursor begins a frame.
func (s *screen) HideCursor() {
	s.frame, s.x, s.y = s.batch.Len(), 0, 0
	s.raw("\x1b[?25l")
}

// ShowCursor ends a frame.
func (s *screen) ShowCursor() { s.raw("\x1b[?12l\x1b[?25h") }

func (s *screen) raw(seq string) { s.batch.WriteString(seq) }

// WriteRaw writes as it is; go-prompt uses it for the line end at the right margin.
func (s *screen) WriteRaw(data []byte) {
	s.batch.Write(data)
	for range bytes.Count(data, []byte("\n")) {
		s.x, s.y = 0, s.y+1
	}
}

// WriteRawStr is WriteRaw.
func (s *screen) WriteRawStr(data string) { s.WriteRaw([]byte(data)) }

// Write is WriteStr.
func (s *screen) Write(data []byte) { s.WriteStr(string(data)) }

// WriteStr writes text, without what would steer the terminal, and follows the cursor.
func (s *screen) WriteStr(data string) {
	s.mu.Lock()
	cols := s.cols
	s.mu.Unlock()
	for _, r := range data {
		switch {
		case r == '\n':
			s.x, s.y = 0, s.y+1
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			r = '?'
			fallthrough
		default:
			w := runewidth.RuneWidth(r)
			if s.x+w > cols {
				s.x, s.y = 0, s.y+1
			}
			s.x += w
		}
		s.batch.Write(utf8.AppendRune(nil, r))
	}
}

// CursorUp moves the cursor.
func (s *screen) CursorUp(n int) { s.move(n, 'A', 'B', func(n int) { s.y -= n }) }

// CursorDown moves the cursor.
func (s *screen) CursorDown(n int) { s.move(n, 'B', 'A', func(n int) { s.y += n }) }

// CursorForward moves the cursor.
func (s *screen) CursorForward(n int) { s.move(n, 'C', 'D', func(n int) { s.x += n }) }

// CursorBackward moves the cursor.
func (s *screen) CursorBackward(n int) { s.move(n, 'D', 'C', func(n int) { s.x -= n }) }

func (s *screen) move(n int, forth, back byte, follow func(int)) {
	if n == 0 {
		return
	}
	follow(n)
	if n < 0 {
		n, forth = -n, back
	}
	fmt.Fprintf(&s.batch, "\x1b[%d%c", n, forth)
}

// ScrollDown moves the cursor down, and scrolls at the bottom.
func (s *screen) ScrollDown() {
	s.y++
	s.raw("\x1bD")
}

// ScrollUp moves the cursor up.
func (s *screen) ScrollUp() {
	s.y--
	s.raw("\x1bM")
}

// The rest of prompt.ConsoleWriter follows; none of it matters to where the cursor is in a frame.

func (s *screen) EraseScreen()      { s.raw("\x1b[2J") }
func (s *screen) EraseUp()          { s.raw("\x1b[1J") }
func (s *screen) EraseDown()        { s.raw("\x1b[J") }
func (s *screen) EraseStartOfLine() { s.raw("\x1b[1K") }
func (s *screen) EraseEndOfLine()   { s.raw("\x1b[K") }
func (s *screen) EraseLine()        { s.raw("\x1b[2K") }
func (s *screen) AskForCPR()        { s.raw("\x1b[6n") }
func (s *screen) SaveCursor()       { s.raw("\x1b[s") }
func (s *screen) UnSaveCursor()     { s.raw("\x1b[u") }

// CursorGoTo is used only by the notice that the window is too small, which is no frame.
func (s *screen) CursorGoTo(row, col int) {
	fmt.Fprintf(&s.batch, "\x1b[%d;%dH", max(row, 1), max(col, 1))
}

// SetTitle and ClearTitle do nothing: the title of the window is the user's.
func (s *screen) SetTitle(string) {}
func (s *screen) ClearTitle()     {}

// colors are the codes of go-prompt's colors: foreground, and background is 10 more (ECMA-48 SGR, and the
// bright ones of aixterm).
var colors = map[prompt.Color]int{
	prompt.DefaultColor: 39, prompt.Black: 30, prompt.DarkRed: 31, prompt.DarkGreen: 32, prompt.Brown: 33,
	prompt.DarkBlue: 34, prompt.Purple: 35, prompt.Cyan: 36, prompt.LightGray: 37, prompt.DarkGray: 90,
	prompt.Red: 91, prompt.Green: 92, prompt.Yellow: 93, prompt.Blue: 94, prompt.Fuchsia: 95,
	prompt.Turquoise: 96, prompt.White: 97,
}

// SetColor follows NO_COLOR: without colors, the offer that is selected is shown in reverse.
func (s *screen) SetColor(fg, bg prompt.Color, bold bool) {
	switch {
	case s.color && bold:
		fmt.Fprintf(&s.batch, "\x1b[1;%d;%dm", colors[fg], colors[bg]+10)
	case s.color:
		fmt.Fprintf(&s.batch, "\x1b[0;%d;%dm", colors[fg], colors[bg]+10)
	case bold:
		s.raw("\x1b[0;7m")
	default:
		s.raw("\x1b[0m")
	}
}
