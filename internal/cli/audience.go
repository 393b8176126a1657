package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
)

// audience is who looks at the runs of a session while they go on: a person at a terminal, and browsers.
type audience struct {
	line *statusLine  // nil where nobody sits at a terminal
	site *report.Site // nil without --ui
	end  func()       // ends what runs for it

	mu    sync.Mutex
	going []*sight // guarded by mu
	ended int      // guarded by mu; how many runs have
	bad   int      // guarded by mu; how many of these failed
}

// sight is one run, as the audience sees it.
type sight struct {
	audience *audience
	name     string
	began    time.Time
	shown    *report.Shown // nil without a site
	progress func() testcoord.Progress
}

// newAudience returns the audience of streams, and the streams that it is to be shown through. The caller calls close.
func newAudience(std Stdio) (*audience, Stdio) {
	a := &audience{end: func() {}}
	a.line, std = newStatusLine(std)
	return a, std
}

// newStatusLine returns a status line below what is printed on the streams, and the streams to print on; nil where these are no terminal.
func newStatusLine(std Stdio) (*statusLine, Stdio) {
	terminal, ok := std.Out.(*os.File)
	if !ok || !isTerminal(terminal) || os.Getenv("TERM") == "dumb" {
		return nil, std
	}
	cols := func() int {
		width, _, err := term.GetSize(int(terminal.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
	line := &statusLine{out: terminal, fd: terminal.Fd(), cols: cols, color: wantColor()}
	std.Out = line
	if isTerminal(std.Err) {
		std.Err = line.besides(std.Err)
	}
	return line, std
}

// lookEvery is how often the audience looks; below that, nobody sees a difference.
const lookEvery = 125 * time.Millisecond

// start begins to look.
func (a *audience) start() {
	if a.line == nil && a.site == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				a.look()
			case <-ctx.Done():
				return
			}
		}
	})
	a.end = func() {
		stop()
		looking.Wait()
		if a.line != nil {
			a.line.Close()
		}
	}
}

// look shows how far all runs are.
func (a *audience) look() {
	a.mu.Lock()
	going, ended, bad := slices.Clone(a.going), a.ended, a.bad
	a.mu.Unlock()
	var last testcoord.Progress
	for _, s := range going {
		last = s.now()
		if s.shown != nil {
			s.shown.Now(nowOf(last))
		}
	}
	if a.line == nil {
		return
	}
	switch len(going) {
	case 0:
		a.line.Set("")
	case 1:
		a.line.Set(runStatus(last, a.line.cols()-leftFree))
	default:
		a.line.Set(manyOf(going, ended, bad))
	}
}

// manyOf is the state of several runs at once.
func manyOf(going []*sight, ended, bad int) string {
	var names []string
	for _, s := range going {
		names = append(names, fmt.Sprintf("%s %s", command.Clean(s.name), elapsed(time.Since(s.began))))
	}
	state := fmt.Sprintf("%d runs have ended", ended)
	if bad > 0 {
		state += fmt.Sprintf(", %d failed", bad)
	}
	return joined(state, fmt.Sprintf("%d go on: %s", len(going), strings.Join(names, ", ")))
}

// expect says whether the runs that follow are several.
func (a *audience) expect(many bool) {
	if a.site != nil {
		a.site.Expect(many)
	}
}

// begin shows a run that is about to begin. name tells it from others. The caller calls end.
func (a *audience) begin(suite *testcoord.Suite, h *how, name string) *sight {
	s := &sight{audience: a, name: name, began: time.Now()}
	if a.site != nil {
		s.shown = a.site.Begin(headOf(suite, h, s.began), name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.going = append(a.going, s)
	return s
}

// now is how far the run is. Of one that has told nothing yet, only the time is known.
func (s *sight) now() testcoord.Progress {
	s.audience.mu.Lock()
	progress := s.progress
	s.audience.mu.Unlock()
	if progress == nil {
		return testcoord.Progress{Elapsed: time.Since(s.began)}
	}
	return progress()
}

// follow makes it known how far the run is.
func (s *sight) follow(c *testcoord.Coordinator) { s.followBy(c.Progress) }

func (s *sight) followBy(progress func() testcoord.Progress) {
	s.audience.mu.Lock()
	defer s.audience.mu.Unlock()
	s.progress = progress
}

// over shows how the run ended.
func (s *sight) over(run *report.Run, err error) {
	if s.shown != nil {
		s.shown.Finish(run, err)
	}
	a := s.audience
	a.mu.Lock()
	a.going = slices.DeleteFunc(a.going, func(o *sight) bool { return o == s })
	a.ended++
	if err != nil || run == nil || !run.OK() {
		a.bad++
	}
	a.mu.Unlock()
	if a.line != nil {
		a.look() // so that nothing old stands below the verdict
	}
}

// observer is told what happens in the run; nil when nobody looks.
func (s *sight) observer() testcoord.Observer {
	if s.shown == nil {
		return nil
	}
	return onPage{s.shown}
}

// onPage shows on a page what a coordinator tells.
type onPage struct{ page *report.Shown }

func (onPage) RunBegins(time.Time) {}

func (o onPage) LifeBegins(l invariant.Life) {
	o.page.Life(report.Life{Peer: l.Peer, From: l.From, To: l.To})
}

func (o onPage) LifeEnds(l invariant.Life) {
	o.page.Life(report.Life{Peer: l.Peer, From: l.From, To: l.To, End: l.How})
}

func (o onPage) EventTaken(e invariant.Entry) {
	o.page.Event(report.Event{At: e.At, Event: e.Event})
}

func (o onPage) StepBegins(s testcoord.StepRecord) {
	step := stepOf(s)
	step.Status = report.Running
	o.page.Step(step)
}

func (o onPage) StepEnds(s testcoord.StepRecord) {
	if !s.Invariant {
		o.page.Step(stepOf(s))
	}
}
