package term

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	prompt "github.com/c-bata/go-prompt"
	"github.com/hinshun/vt10x"
)

// terminal is an emulated screen to draw on.
type terminal struct {
	mu sync.Mutex
	vt vt10x.Terminal
	n  int // writes
}

func newTerminal(cols, rows int) *terminal {
	return &terminal{vt: vt10x.New(vt10x.WithSize(cols, rows))}
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	// The terminal's driver begins a new line at the left, as OPOST and ONLCR say.
	if _, err := t.vt.Write([]byte(strings.ReplaceAll(string(p), "\n", "\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (t *terminal) lines() []string {
	var out []string
	for l := range strings.SplitSeq(strings.TrimRight(t.vt.String(), "\n "), "\n") {
		out = append(out, strings.TrimRight(l, " "))
	}
	return out
}

func (t *terminal) expect(test *testing.T, want ...string) {
	test.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if got := t.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		test.Errorf("on the screen:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// fixed is a window that keeps its size.
func fixed(rows, cols int) func() (int, int) { return func() (int, int) { return rows, cols } }

// frame draws a prompt as go-prompt's Render does, with offers below; from is where the cursor of the
// frame before stood.
func frame(s *screen, from int, text string, offers ...string) (cursor int) {
	cols := s.at.cols
	s.CursorUp(from / cols)
	s.CursorBackward(from % cols)
	s.HideCursor()
	s.SetColor(prompt.Blue, prompt.DefaultColor, false)
	s.WriteStr(text)
	s.SetColor(prompt.DefaultColor, prompt.DefaultColor, false)
	if len(text) > 0 && len(text)%cols == 0 {
		s.WriteRaw([]byte{'\n'})
	}
	s.EraseDown()
	for range offers {
		s.ScrollDown()
	}
	for range offers {
		s.ScrollUp()
	}
	for _, o := range offers {
		s.CursorDown(1)
		s.WriteStr(o)
		s.CursorBackward(len(o))
	}
	s.CursorUp(len(offers))
	s.ShowCursor()
	_ = s.Flush() // the terminal of the tests never fails
	return len(text)
}

func TestLinesGoAboveTheFrame(t *testing.T) {
	t.Parallel()
	for _, color := range []bool{true, false} {
		term := newTerminal(20, 8)
		s := newScreen(term, color, fixed(8, 20))
		s.Line("before", true)
		s.queue.flush()
		at := frame(s, 0, "> mem", "member", "mute")
		s.Line("one", true)
		s.queue.flush()
		s.Line("two", true)
		s.Line("a line that is longer than the screen", true)
		s.queue.flush()
		term.expect(t, "before", "one", "two", "a line that is longe", "r than the screen", "> mem", "     member", "     mute")
		at = frame(s, at, "> memb", "member")
		term.expect(t, "before", "one", "two", "a line that is longe", "r than the screen", "> memb", "      member")
		for i := range 10 { // scrolls
			s.Line(fmt.Sprintf("line %d", i), true)
		}
		s.queue.flush()
		term.expect(t, "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "> memb", "      member")
		_ = frame(s, at, "> member")
		s.close()
	}
}

func TestLinesAboveAWrappedPrompt(t *testing.T) {
	t.Parallel()
	term := newTerminal(10, 8)
	s := newScreen(term, false, fixed(8, 10))
	defer s.close()
	at := frame(s, 0, "> 345678901234567")
	s.Line("one", true)
	s.queue.flush()
	term.expect(t, "one", "> 34567890", "1234567")
	at = frame(s, at, "> 345678901234567890") // fills two rows, the cursor is on the third
	s.Line("two", true)
	s.queue.flush()
	term.expect(t, "one", "two", "> 34567890", "1234567890")
	frame(s, at, "> 3", "offer")
	s.Line("three", true)
	s.queue.flush()
	term.expect(t, "one", "two", "three", "> 3", "   offer")
}

func TestLinesWithoutAFrame(t *testing.T) {
	t.Parallel()
	term := newTerminal(20, 8)
	s := newScreen(term, false, fixed(8, 20))
	frame(s, 0, "> run")
	s.CursorBackward(5) // as BreakLine
	s.EraseDown()
	s.WriteStr("> run\n")
	_ = s.Flush()
	s.Line("output", true)
	s.queue.flush()
	s.ClearTitle()
	s.EraseDown()
	_ = s.Flush()
	frame(s, 0, "> ")
	term.expect(t, "> run", "output", ">")
	s.pause()
	s.Line("held while the window is resized", false)
	s.queue.flush()
	term.expect(t, "> run", "output", ">")
	s.redraw(15)
	s.CursorBackward(2)
	s.EraseDown()
	s.WriteStr("> \n")
	_ = s.Flush()
	s.queue.flush()
	frame(s, 0, "> ")
	term.expect(t, "> run", "output", "held while the windo", "w is resized", ">")
	s.close()
	s.Line("after the end", false)
	term.mu.Lock()
	if !strings.Contains(term.vt.String(), "after the end") {
		t.Error("a line after the end is lost")
	}
	term.mu.Unlock()
}

func TestQueue(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	open := make(chan struct{})
	q := newQueue(func(take func() []string) {
		<-open
		mu.Lock()
		defer mu.Unlock()
		got = append(got, take()...)
	})
	for i := range maxQueue + 10 { // of which the drawer may have taken none
		q.put(fmt.Sprint(i), false)
	}
	var writers sync.WaitGroup
	writers.Go(func() { q.put("waited", true) })
	close(open)
	writers.Wait()
	q.close()
	q.put("late", true)
	text := strings.Join(got, "\n")
	if !strings.Contains(text, "… 10 lines are not shown: the terminal is too slow") ||
		!strings.Contains(text, "waited") || got[len(got)-1] != "late" || got[maxQueue-1] != fmt.Sprint(maxQueue-1) {
		t.Errorf("%d lines, the last are %q", len(got), got[len(got)-4:])
	}
}

// Many lines in a short time are drawn together.
func TestQueueDrawsTogether(t *testing.T) {
	t.Parallel()
	term := newTerminal(20, 8)
	s := newScreen(term, false, fixed(8, 20))
	frame(s, 0, "> ")
	for i := range 1000 {
		s.Line(fmt.Sprint(i), true)
	}
	s.close()
	if term.n > 100 {
		t.Errorf("%d writes for 1000 lines", term.n)
	}
}

func TestColors(t *testing.T) {
	t.Parallel()
	s := newScreen(newTerminal(20, 8), true, fixed(8, 20))
	defer s.close()
	s.SetColor(prompt.White, prompt.Cyan, true)
	s.SetColor(prompt.DefaultColor, prompt.DarkGray, false)
	if got, want := string(s.batch), "\x1b[0;1;97;46m\x1b[0;39;100m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
