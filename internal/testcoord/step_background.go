package testcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// jobs are the steps that a flow has in the background.
type jobs struct {
	mu   sync.Mutex
	list []*job // guarded by mu; those that nobody has waited for
}

// job is one step in the background.
type job struct {
	line   int
	cancel context.CancelCauseFunc
	done   chan struct{}
	failed bool // valid when done is closed
}

func (j *jobs) add(one *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, one)
}

// take returns the jobs, which the caller then waits for.
func (j *jobs) take() []*job {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.list
	j.list = nil
	return out
}

// background runs a step while the flow goes on. It is reported when it ends.
func (f *flow) background(ctx context.Context, s *Step, act action) {
	ctx, cancel := context.WithCancelCause(ctx)
	in := f.inner()
	in.depth = f.depth
	in.details = f.details
	if several, ok := act.(ofPeers); ok { // what is meant is known now, and what follows may ask for its others
		if names, err := in.resolve(*several.peers()); err == nil {
			in.fixed, in.ran, f.last = names, f.c.ran(names), in.last
		}
	}
	one := &job{line: s.Line, cancel: cancel, done: make(chan struct{})}
	f.jobs.add(one)
	begin := time.Now()
	in.begins(s, begin)
	run := func() error { return act.run(ctx, in) }
	if command, ok := act.(*commandStep); ok { // it has been sent before what stands behind it begins
		wait := command.start(ctx, in)
		run = func() error {
			_, err := wait()
			return err
		}
	}
	go func() { // is waited for by wait, or at the end of the run
		defer cancel(nil)
		defer close(one.done)
		one.failed = !in.ended(ctx, s, begin, run())
	}()
}

// waitStep waits for what the flow has in the background.
type waitStep struct{}

func (waitStep) run(ctx context.Context, f *flow) error {
	var failed []int
	waited := f.jobs.take()
	f.waitsFor(func() []string { return unended(waited) })
	for _, one := range waited {
		select {
		case <-one.done:
		case <-ctx.Done(): // which ends the job as well
			<-one.done
		}
		if one.failed {
			failed = append(failed, one.line)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	slices.Sort(failed)
	var lines []string
	for _, line := range failed {
		lines = append(lines, "line "+strconv.Itoa(line))
	}
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("what ran in the background has failed: %s", lines[0])
	}
	return fmt.Errorf("%d of what ran in the background have failed: %s", len(failed), list(lines))
}

// unended are the lines of jobs that go on.
func unended(list []*job) []string {
	var out []string
	for _, one := range list {
		select {
		case <-one.done:
		default:
			out = append(out, "line "+strconv.Itoa(one.line))
		}
	}
	return out
}

// endJobs waits for what is left in the background, or cuts it short.
func (f *flow) endJobs(cut bool) (good bool) {
	good = true
	for _, one := range f.jobs.take() {
		if cut {
			one.cancel(errOther)
		}
		<-one.done
		good = good && !one.failed
	}
	return good
}

// barrierStep waits until all branches have arrived.
type barrierStep struct{ name string }

// barrierLimit is how long a branch waits for the others, unless the suite ends before.
const barrierLimit = 5 * time.Minute

func (s barrierStep) run(ctx context.Context, f *flow) error {
	ctx, stop := context.WithTimeoutCause(ctx, barrierLimit, errBarrier)
	defer stop()
	me := &arrival{name: s.name, line: f.step.Line, branch: f.branch, end: make(chan error, 1)}
	f.waitsFor(f.meet.missing)
	err := f.meet.arrive(ctx, me)
	if errors.Is(err, errBarrier) {
		return fmt.Errorf("%w within %s; those that are missing: %s", err, barrierLimit, strings.Join(f.meet.missing(), ", "))
	}
	return err
}

// errBarrier is why a branch waits no more.
var errBarrier = errors.New("not all branches have arrived")

// meeting is the barriers of a parallel block.
type meeting struct {
	mu      sync.Mutex
	running []*Step    // guarded by mu; the branches that have not ended
	waiting []*arrival // guarded by mu
	late    []*Step    // guarded by mu; the branches that have arrived, and wait no more
}

// arrival is a branch that waits at a barrier.
type arrival struct {
	name   string
	line   int
	branch *Step
	end    chan error // gets what becomes of the wait
}

// arrive waits until all branches that run wait at a barrier of that name.
func (m *meeting) arrive(ctx context.Context, me *arrival) error {
	m.mu.Lock()
	m.waiting = append(m.waiting, me)
	m.late = slices.DeleteFunc(m.late, func(b *Step) bool { return b == me.branch })
	m.look()
	m.mu.Unlock()
	select {
	case err := <-me.end:
		return err
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = slices.DeleteFunc(m.waiting, func(a *arrival) bool { return a == me })
	m.late = append(m.late, me.branch)
	return context.Cause(ctx)
}

// missing are the branches that have not arrived, by their lines.
func (m *meeting) missing() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, b := range m.running {
		there := func(a *arrival) bool { return a.branch == b }
		if !slices.ContainsFunc(m.waiting, there) && !slices.Contains(m.late, b) {
			out = append(out, "line "+strconv.Itoa(b.Line))
		}
	}
	return out
}

// leave takes out a branch that has ended: nobody waits for it.
func (m *meeting) leave(branch *Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = slices.DeleteFunc(m.running, func(b *Step) bool { return b == branch })
	m.look()
}

// look lets all go on when all have arrived. When they wait at different barriers, they would wait for ever. The lock is held.
func (m *meeting) look() {
	if len(m.waiting) == 0 || len(m.waiting) < len(m.running) {
		return
	}
	var err error
	first := m.waiting[0]
	for _, a := range m.waiting {
		if a.name != first.name {
			err = fmt.Errorf("the branches wait for each other at different barriers: %q in line %d, %q in line %d", first.name, first.line, a.name, a.line)
		}
	}
	for _, a := range m.waiting {
		a.end <- err
	}
	m.waiting = nil
}
