package term

import (
	"fmt"
	"strings"

	prompt "github.com/c-bata/go-prompt"
)

// The methods of ConsoleWriter that draw. They are called by go-prompt's goroutine and
// change nothing on the terminal before Flush.

var _ prompt.ConsoleWriter = (*screen)(nil)

// HideCursor begins a frame: go-prompt has moved to the start of the prompt.
func (s *screen) HideCursor() {
	s.start = len(s.batch)
	s.at = cursor{cols: s.at.cols}
	s.raw("\x1b[?25l")
}

// ShowCursor ends a frame.
func (s *screen) ShowCursor() { s.raw("\x1b[?12l\x1b[?25h") }

// Write is WriteStr for bytes.
func (s *screen) Write(data []byte) { s.WriteStr(string(data)) }

// WriteStr writes text that stands on the screen.
func (s *screen) WriteStr(text string) {
	text = strings.ReplaceAll(text, "\x1b", "?")
	s.raw(text)
	s.at.write(text)
}

// WriteRaw is used by go-prompt only for the line feed after a full row.
func (s *screen) WriteRaw(data []byte) { s.WriteRawStr(string(data)) }

// WriteRawStr is WriteRaw for strings.
func (s *screen) WriteRawStr(data string) {
	s.raw(data)
	if data == "\n" {
		s.at.feed()
	}
}

// EraseScreen clears the whole screen.
func (s *screen) EraseScreen() { s.raw("\x1b[2J") }

// EraseUp clears from the top to the cursor.
func (s *screen) EraseUp() { s.raw("\x1b[1J") }

// EraseDown clears from the cursor to the bottom.
func (s *screen) EraseDown() { s.raw("\x1b[J") }

// EraseStartOfLine clears from the start of the line to the cursor.
func (s *screen) EraseStartOfLine() { s.raw("\x1b[1K") }

// EraseEndOfLine clears from the cursor to the end of the line.
func (s *screen) EraseEndOfLine() { s.raw("\x1b[K") }

// EraseLine clears the line.
func (s *screen) EraseLine() { s.raw("\x1b[2K") }

// CursorGoTo moves to a place on the screen; rows and columns count from 1.
func (s *screen) CursorGoTo(row, col int) {
	s.raw(fmt.Sprintf("\x1b[%d;%dH", max(row, 1), max(col, 1)))
}

// CursorUp moves n rows up, or down when n is negative.
func (s *screen) CursorUp(n int) { s.vertical(-n) }

// CursorDown moves n rows down, or up when n is negative.
func (s *screen) CursorDown(n int) { s.vertical(n) }

// CursorForward moves n columns right, or left when n is negative.
func (s *screen) CursorForward(n int) { s.horizontal(n) }

// CursorBackward moves n columns left, or right when n is negative.
func (s *screen) CursorBackward(n int) { s.horizontal(-n) }

func (s *screen) vertical(n int) {
	switch {
	case n > 0:
		s.raw(fmt.Sprintf("\x1b[%dB", n))
	case n < 0:
		s.raw(fmt.Sprintf("\x1b[%dA", -n))
	}
	s.at.y += n
}

func (s *screen) horizontal(n int) {
	switch {
	case n > 0:
		s.raw(fmt.Sprintf("\x1b[%dC", n))
	case n < 0:
		s.raw(fmt.Sprintf("\x1b[%dD", -n))
	}
	s.at.move(n)
}

// AskForCPR asks for a report that nobody reads; go-prompt never calls it.
func (s *screen) AskForCPR() {}

// SaveCursor is never called by go-prompt.
func (s *screen) SaveCursor() { s.raw("\x1b[s") }

// UnSaveCursor is never called by go-prompt.
func (s *screen) UnSaveCursor() { s.raw("\x1b[u") }

// ScrollDown moves down a row, and scrolls at the bottom.
func (s *screen) ScrollDown() {
	s.raw("\x1bD")
	s.at.y++
}

// ScrollUp moves up a row, and scrolls at the top.
func (s *screen) ScrollUp() {
	s.raw("\x1bM")
	s.at.y--
}

// SetTitle does nothing: the title of the window is the user's.
func (s *screen) SetTitle(string) {}

// ClearTitle does nothing.
func (s *screen) ClearTitle() {}

// SetColor sets colours. Where those are not wanted, what go-prompt draws bold, the offer that is
// chosen, is drawn in reverse.
func (s *screen) SetColor(fg, bg prompt.Color, bold bool) {
	switch {
	case !s.color && bold:
		s.raw("\x1b[0;7m")
	case !s.color:
		s.raw("\x1b[0m")
	case bold:
		s.raw(fmt.Sprintf("\x1b[0;1;%d;%dm", sgr(fg, 30), sgr(bg, 40)))
	default:
		s.raw(fmt.Sprintf("\x1b[0;%d;%dm", sgr(fg, 30), sgr(bg, 40)))
	}
}

// sgr is the number of a colour (ECMA-48, 8.3.117, and the bright ones of aixterm). base is 30 for
// text and 40 for the background.
func sgr(c prompt.Color, base int) int {
	switch {
	case c >= prompt.Black && c <= prompt.LightGray:
		return base + int(c-prompt.Black)
	case c >= prompt.DarkGray && c <= prompt.White:
		return base + 60 + int(c-prompt.DarkGray)
	}
	return base + 9
}

func (s *screen) raw(data string) { s.batch = append(s.batch, data...) }
