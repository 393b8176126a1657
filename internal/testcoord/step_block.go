package testcoord

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// repeatBlock runs its steps several times.
type repeatBlock struct {
	times int
	as    string // the variable with the number of the round, from 1; or empty
}

func (repeatBlock) run(context.Context, *flow) error { return nil }

func (b repeatBlock) runBody(ctx context.Context, f *flow, s *Step) bool {
	good := true
	for n := 1; n <= b.times && ctx.Err() == nil && !f.c.spent(); n++ {
		in := f.inner()
		if in.round != "" {
			in.round += " "
		}
		in.round += round(b.as, n, b.times)
		if b.as != "" {
			in.scope = f.scope.with(b.as, strconv.Itoa(n))
		}
		good = in.steps(ctx, s.Body) && good
		f.last = in.last
		if !good && !f.all {
			return false
		}
	}
	return good
}

// branchBlock is the steps of one branch of a parallel block.
type branchBlock struct{}

func (branchBlock) run(context.Context, *flow) error { return nil }

func (branchBlock) runBody(ctx context.Context, f *flow, s *Step) bool {
	return f.inner().steps(ctx, s.Body)
}

// parallelBlock runs its steps at once. Each is a branch.
type parallelBlock struct{}

func (parallelBlock) run(context.Context, *flow) error { return nil }

// runBody waits for all branches. The first that fails ends the others, unless the run goes on after failures.
func (parallelBlock) runBody(ctx context.Context, f *flow, s *Step) bool {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	meet := &meeting{running: slices.Clone(s.Body)}
	good := make([]bool, len(s.Body))
	var running sync.WaitGroup
	for i, branch := range s.Body {
		in := f.inner()
		in.meet, in.branch, in.jobs = meet, branch, &jobs{}
		running.Go(func() {
			good[i] = in.steps(ctx, []*Step{branch})
			good[i] = in.endJobs(!good[i] && !f.all) && good[i]
			if !good[i] && !f.all {
				stop(errOther)
			}
			meet.leave(branch)
		})
	}
	running.Wait()
	return !slices.Contains(good, false)
}

// cleanupBlock runs its steps when all else is over.
type cleanupBlock struct{ within time.Duration }

func (cleanupBlock) run(context.Context, *flow) error { return nil }

// runBody tries each step, whatever becomes of the others.
func (cleanupBlock) runBody(ctx context.Context, f *flow, s *Step) bool {
	in := f.inner()
	in.all = true
	return in.steps(ctx, s.Body)
}
