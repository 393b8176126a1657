package cli

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	runewidth "github.com/mattn/go-runewidth"

	"peerlab.example/peerlab/internal/testcoord"
)

// paper is a terminal of one endless page: it knows the few sequences that a status line uses.
type paper struct {
	lines  []string // those that are ended
	row    string   // that of the cursor
	col    int
	draws  int // how often a row was drawn without an end
	spills int // how often a row was wider than the page
	width  int
}

func (p *paper) Write(b []byte) (int, error) {
	text := string(b)
	if !strings.HasSuffix(text, "\n") && text != "\r\x1b[J" {
		p.draws++
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			p.row = p.row[:min(p.col, len(p.row))]
			text = text[3:]
			continue
		case text[0] == '\r':
			p.col = 0
		case text[0] == '\n':
			p.lines = append(p.lines, p.row)
			p.row, p.col = "", 0
		default:
			p.row = p.row[:min(p.col, len(p.row))] + text[:1] + p.row[min(p.col+1, len(p.row)):]
			p.col++
		}
		text = text[1:]
		if runewidth.StringWidth(p.row) > p.width {
			p.spills++
		}
	}
	return len(b), nil
}

func newPaper(cols int) (*paper, *statusLine) {
	p := &paper{width: cols}
	return p, &statusLine{out: p, cols: func() int { return p.width }}
}

func TestStatusLineStandsBelow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newPaper(40)
		s.Set("working")
		if p.row != "working" {
			t.Errorf("the row is %q", p.row)
		}
		<-time.After(statusEvery)
		_, _ = fmt.Fprintf(s, "first\n")
		<-time.After(statusEvery)
		_, _ = fmt.Fprintf(s.besides(p), "second, of another stream\n")
		if d := strings.Join(p.lines, "|"); d != "first|second, of another stream" || p.row != "working" {
			t.Errorf("the lines are %q, the row %q", d, p.row)
		}
		<-time.After(statusEvery)
		_, _ = fmt.Fprint(s, "go on? ")
		s.Set("working still")
		if p.row != "go on? " {
			t.Errorf("with a question open, the row is %q", p.row)
		}
		_, _ = fmt.Fprint(s, "yes\n")
		<-time.After(statusEvery)
		s.Set("work")
		if p.row != "work" {
			t.Errorf("a shorter text leaves %q", p.row)
		}
		s.Set("")
		if p.row != "" {
			t.Errorf("with nothing to tell, the row is %q", p.row)
		}
		<-time.After(statusEvery)
		s.Set("work")
		s.Close()
		<-time.After(statusEvery)
		s.Set("nobody reads this")
		_, _ = fmt.Fprintf(s, "the end\n")
		if d := strings.Join(p.lines, "|"); d != "first|second, of another stream|go on? yes|the end" || p.row != "" {
			t.Errorf("at the end, the lines are %q, the row %q", d, p.row)
		}
	})
}

func TestStatusLineIsDrawnTenTimesASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newPaper(40)
		begin := time.Now()
		for i := range 3000 {
			s.Set(fmt.Sprint("step ", i))
			if i%7 == 0 {
				_, _ = fmt.Fprintf(s, "line %d\n", i)
			}
			<-time.After(time.Millisecond)
		}
		if most := int(time.Since(begin)/statusEvery) + 1; p.draws > most || p.draws < most/2 {
			t.Errorf("in %s it was drawn %d times, want at most %d", time.Since(begin), p.draws, most)
		}
		s.Close()
		if len(p.lines) != 3000/7+1 || p.row != "" {
			t.Errorf("%d lines, and the row is %q", len(p.lines), p.row)
		}
		for i, line := range p.lines {
			if line != fmt.Sprintf("line %d", 7*i) {
				t.Errorf("line %d is %q", i, line)
			}
		}
	})
}

func TestStatusLineFitsTheWidth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newPaper(0)
		for _, width := range []int{120, 30, 3, 1, 0, 80, 21} {
			s.Set("") // what a terminal does with rows that are too wide now is another matter
			p.width = width
			for _, text := range []string{strings.Repeat("wide 漢字 ", 40), "\u0301combining é", "short"} {
				<-time.After(statusEvery)
				s.Set(text)
				if w := runewidth.StringWidth(p.row); w > max(p.width-leftFree, 0) {
					t.Errorf("of %d columns, %d are used", p.width, w)
				}
			}
		}
		if p.spills > 0 {
			t.Errorf("%d times a row was full", p.spills)
		}
	})
}

func TestRunStatus(t *testing.T) {
	t.Parallel()
	expect := testcoord.Doing{
		StepRecord: testcoord.StepRecord{Line: 14, Text: "expect all within 10s members alive = 5"}, Waiting: []string{"carol", "dave"},
	}
	many := expect
	for i := range 50 {
		many.Waiting = append(many.Waiting, fmt.Sprint("p", i))
	}
	background := testcoord.Doing{StepRecord: testcoord.StepRecord{Line: 3, File: "in.lab", Text: "bob sleep\x1b[2J 漢", Round: "i=2/9"}, Waiting: []string{"bob", "dave"}}
	for _, tt := range []struct {
		p    testcoord.Progress
		cols int
		want string
	}{
		{testcoord.Progress{Elapsed: 340 * time.Millisecond, Phase: testcoord.Starting, Waiting: []string{"bob"}, Peers: testcoord.PeerStates{Starting: 1, Alive: 2}}, 100,
			"0.3s  2 alive, 1 starting  starting peers  waits for bob"},
		{testcoord.Progress{Elapsed: 12*time.Second + 390*time.Millisecond, Phase: testcoord.Running, Steps: []testcoord.Doing{expect}, Peers: testcoord.PeerStates{Alive: 3, Frozen: 1, Killed: 2}}, 120,
			"12.3s  3 alive, 1 frozen, 2 killed  14 expect all within 10s members alive = 5  waits for carol, dave"},
		{testcoord.Progress{Elapsed: 125 * time.Second, Phase: testcoord.Running, Steps: []testcoord.Doing{many}, Peers: testcoord.PeerStates{Alive: 52}}, 80,
			"2m05s  52 alive  14 expect all within 10…  waits for carol, dave, p0 and 49 more"},
		{testcoord.Progress{Elapsed: time.Second, Phase: testcoord.Running, Steps: []testcoord.Doing{expect, background}}, 100,
			"1.0s  in.lab:3 bob sleep[2J 漢 (i=2/9) (and 1 more)  waits for carol, dave, bob"},
		{testcoord.Progress{Elapsed: time.Second, Phase: testcoord.Running, Steps: []testcoord.Doing{many}, Peers: testcoord.PeerStates{Alive: 52}}, 30,
			"1.0s  52 alive  14 expect a…"},
		{testcoord.Progress{Elapsed: time.Hour + time.Minute}, 20, "61m00s"},
		{testcoord.Progress{Elapsed: time.Second, Phase: testcoord.Ending, Peers: testcoord.PeerStates{Stopped: 2, Died: 1}}, 60, "1.0s  2 stopped, 1 died  ending peers"},
	} {
		got := runStatus(tt.p, tt.cols)
		if got != tt.want || runewidth.StringWidth(got) > tt.cols {
			t.Errorf("in %d columns\n got %q\nwant %q", tt.cols, got, tt.want)
		}
		if now := nowOf(tt.p); strings.ContainsRune(now, 0x1b) {
			t.Errorf("a page gets %q", now)
		}
	}
}
