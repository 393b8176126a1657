package term

import (
	"fmt"
	"strings"
	"testing"
)

func TestBlockStaysBelowTheLines(t *testing.T) {
	t.Parallel()
	term := newTerminal(12, 6)
	s := newScreen(term, false, fixed(6, 12))
	s.Line("before", true)
	s.Block([]string{"head", "a line that is too long", "grü世世世世世世"})
	term.expect(t, "before", "head", "a line tha…", "grü世世世…")
	s.Line("one", true)
	s.queue.flush()
	term.expect(t, "before", "one", "head", "a line tha…", "grü世世世…")
	s.Block([]string{"head", "short"})
	s.Line("two", true)
	s.queue.flush()
	term.expect(t, "before", "one", "two", "head", "short")
	for i := range 9 {
		s.Line(fmt.Sprint("line ", i), true)
	}
	s.queue.flush()
	term.expect(t, "line 6", "line 7", "line 8", "head", "short")
	s.Block(nil)
	s.Line("after", true)
	s.queue.flush()
	term.expect(t, "line 7", "line 8", "head", "short", "after")
	frame(s, 0, "> ")
	term.expect(t, "line 7", "line 8", "head", "short", "after", ">")
	s.close()
}

func TestBlockThatIsHigherThanTheWindow(t *testing.T) {
	t.Parallel()
	term := newTerminal(12, 5)
	s := newScreen(term, false, fixed(5, 12))
	defer s.close()
	var lines []string
	for i := range 9 {
		lines = append(lines, fmt.Sprint("row ", i))
	}
	s.Block(lines)
	term.expect(t, "row 0", "row 1", "row 2", "row 3")
	s.Line("one", true)
	s.Block(lines[1:])
	term.expect(t, "row 1", "row 2", "row 3", "row 4")
	s.Block([]string{}) // nothing to show for now, which is not the end
	s.Line("two", true)
	s.queue.flush()
	s.Block(lines[:1])
	term.expect(t, "two", "row 0")
}

// A block in a window that gets wider and narrower keeps its place, and holds no lines back.
func TestBlockInAWindowOfAnotherSize(t *testing.T) {
	t.Parallel()
	term := newTerminal(20, 8)
	rows, cols := 8, 20
	s := newScreen(term, false, func() (int, int) { return rows, cols })
	defer s.close()
	s.Block([]string{"head", "some text of a block"})
	for _, width := range []int{40, 30, 22} { // wide enough for all rows
		cols = width
		term.vt.Resize(cols, rows)
		s.pause() // as the signal does
		s.Line(fmt.Sprint(width, " columns"), true)
		s.queue.flush()
		s.Block([]string{"head", "some text of a block"})
	}
	term.expect(t, "40 columns", "30 columns", "22 columns", "head", "some text of a block")
}

func TestPauseHoldsLines(t *testing.T) {
	t.Parallel()
	term := newTerminal(20, 6)
	s := newScreen(term, false, fixed(6, 20))
	s.Line("before", true)
	resume := s.Pause()
	if _, err := term.Write([]byte("the pager\r\n")); err != nil {
		t.Fatal(err)
	}
	s.Line("held", false)
	s.queue.flush()
	term.expect(t, "before", "the pager")
	for range maxQueue + 5 {
		s.Line("more", false)
	}
	resume()
	s.queue.flush()
	s.close()
	term.expect(t, "more", "more", "… 6 lines are not sh", "own: the terminal is", " too slow")
	if got := strings.Count(term.vt.String(), "pager"); got != 0 {
		t.Errorf("the pager is still there")
	}
}

// A prompt that is drawn again in another width takes the place of the old one, as far as it can be known.
func TestRedrawInAnotherWidth(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to int
		text     string
		want     []string
	}{
		"one row":             {20, 10, "> 345", []string{"above", "said", "> 345"}},
		"wider":               {10, 20, "> 345678", []string{"above", "said", "> 345678"}},
		"two rows, narrower":  {20, 15, "> 345678901234567890123", []string{"above", "said", "> 3456789012345", "67890123"}},
		"three rows, wider":   {10, 15, "> 345678901234567890123", []string{"above", "> 34567890", "said", "> 3456789012345", "67890123"}},
		"a full row, narrow":  {10, 8, "> 34567890", []string{"above", "said", "> 345678", "90"}},
		"a full row, to wide": {10, 30, "> 34567890", []string{"above", "> 34567890", "said", "> 34567890"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := newTerminal(tc.from, 8)
			s := newScreen(term, false, fixed(8, tc.from))
			defer s.close()
			s.Line("above", true)
			s.queue.flush()
			frame(s, 0, tc.text)
			term.vt.Resize(tc.to, 8) // vt10x leaves the rows as they are
			s.pause()
			s.Line("said", true)
			s.queue.flush()
			s.redraw(tc.to)
			s.WriteStr(tc.text + "\n") // as BreakLine
			_ = s.Flush()
			s.queue.flush()
			s.resize(tc.to)
			frame(s, 0, tc.text)
			term.expect(t, tc.want...)
		})
	}
}
