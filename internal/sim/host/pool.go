package host

import (
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/sim"
)

// Pool runs guests, any number of them at once, in workers that it starts when it needs them. The caller closes it.
type Pool struct {
	begin func() (*exec.Cmd, error)

	starting sync.Mutex // held while a worker starts: the first one compiles the guest, and the others find it compiled
	mu       sync.Mutex
	idle     []*process // guarded by mu
}

// NewPool returns a pool of workers that begin makes, and that call Work.
func NewPool(begin func() (*exec.Cmd, error)) *Pool { return &Pool{begin: begin} }

// Close ends the workers. No run may be under way.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.idle {
		w.end()
	}
	p.idle = nil
}

// Run runs a spec. text gets what a person watches, as it happens. When ctx ends, so does the guest, without an outcome. One that panics or exits, or
// that computes and never looks at its clock, is a sim.BrokenError.
func (p *Pool) Run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, Stats, error) {
	ticks := time.NewTicker(sim.LookEvery)
	defer ticks.Stop()
	return p.run(ctx, spec, text, ticks.C)
}

func (p *Pool) run(ctx context.Context, spec *sim.Spec, text io.Writer, ticks <-chan time.Time) (*sim.Outcome, Stats, error) {
	in, reader, err := sim.Send(spec, text)
	if err != nil {
		return nil, Stats{}, err
	}
	w, err := p.take(ctx)
	if err != nil {
		return nil, Stats{}, err
	}
	forget := context.AfterFunc(ctx, w.end)
	var pulse sim.Pulse
	r := w.start(job{spec.Seed, in}, pulse.Text(reader))
	still := pulse.Watch(ctx, ticks, r.over)
	switch {
	case !forget():
		w.end()
		return nil, Stats{}, context.Cause(ctx)
	case still != nil:
		w.end()
		return nil, Stats{}, &sim.BrokenError{Seed: spec.Seed, Why: still.Error()}
	case r.err != nil:
		w.end()
		return nil, Stats{}, sim.Panicked(spec.Seed, w.stderr.String()+"\n"+r.err.Error())
	}
	p.put(w)
	if r.ended.Failed != "" {
		return nil, r.ended.Stats, sim.Panicked(spec.Seed, r.ended.Stderr+"\n"+r.ended.Failed)
	}
	outcome, err := reader.Outcome()
	if errors.Is(err, sim.ErrNoOutcome) {
		return nil, r.ended.Stats, sim.Exited(spec.Seed, r.ended.Stderr)
	}
	return outcome, r.ended.Stats, err
}

// take gives a worker that is ready, or starts one.
func (p *Pool) take(ctx context.Context) (*process, error) {
	p.starting.Lock()
	defer p.starting.Unlock()
	if w := p.ready(); w != nil {
		return w, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w, err := begun(p.begin)
	if err != nil {
		return nil, fmt.Errorf("start the simulation: %w", err)
	}
	defer context.AfterFunc(ctx, w.end)()
	var m message
	if err := w.messages.Decode(&m); err != nil || !m.Ready {
		w.end()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("start the simulation: %s", cmp.Or(strings.TrimSpace(w.stderr.String()), "its process ended"))
	}
	return w, nil
}

func (p *Pool) ready() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	w := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return w
}

func (p *Pool) put(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, w)
}

// process is a worker, as its pool sees it.
type process struct {
	cmd      *exec.Cmd
	jobs     *gob.Encoder
	messages *gob.Decoder
	stderr   sim.Stderr
	end      func() // ends it, and returns when it has ended
}

func begun(begin func() (*exec.Cmd, error)) (*process, error) {
	cmd, err := begin()
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w := &process{cmd: cmd, jobs: gob.NewEncoder(stdin), messages: gob.NewDecoder(stdout)}
	cmd.Stderr = &w.stderr
	w.end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return w, cmd.Start()
}

// watched is a run that a worker has begun.
type watched struct {
	over chan struct{} // closed when there is no more of it
	// Known then:
	ended *ended
	err   error
}

// start sends a job, and hands on what comes of it.
func (w *process) start(j job, output io.Writer) *watched {
	r := &watched{over: make(chan struct{})}
	go func() { // it ends with the run, or with the process
		defer close(r.over)
		if r.err = w.jobs.Encode(j); r.err != nil {
			return
		}
		for r.ended == nil {
			var m message
			if r.err = w.messages.Decode(&m); r.err != nil {
				return
			}
			if _, r.err = output.Write(m.Output); r.err != nil { // also of nothing: the guest moves
				return
			}
			r.ended = m.Ended
		}
	}()
	return r
}
