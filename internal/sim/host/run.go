package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"peerlab.example/peerlab/internal/sim"
)

// Run runs a spec. text gets what a person watches, as it happens. When ctx ends, so does the guest where it next looks at its clock, which Go's
// runtime does whenever another goroutine has its turn. A guest that looks no more is given up, with a sim.BrokenError: it computes for ever, and goes
// on with it until the process ends. (wazero can end such a guest, too, if it compiles a look at a flag into each loop: then all guests take more than
// twice as long.)
func (h *Host) Run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, Stats, error) {
	ticks := time.NewTicker(sim.LookEvery)
	defer ticks.Stop()
	r, err := h.start(ctx, spec, text)
	if err != nil {
		return nil, Stats{}, err
	}
	return r.wait(ctx, ticks.C)
}

// running is a run in a goroutine of its own, which may never end.
type running struct {
	host   *Host
	seed   uint64
	pulse  sim.Pulse
	stop   atomic.Bool
	ended  chan struct{}
	reader *sim.Reader
	// Known when ended is closed:
	clock  clock
	stderr bytes.Buffer
	memory uint64
	err    error
}

func (h *Host) start(ctx context.Context, spec *sim.Spec, text io.Writer) (*running, error) {
	r := &running{host: h, seed: spec.Seed, ended: make(chan struct{})}
	in, reader, err := sim.Send(spec, text)
	if err != nil {
		return nil, err
	}
	r.reader = reader
	config := wazero.NewModuleConfig().WithName("").WithArgs("peerlab").
		WithStdin(bytes.NewReader(in)).WithStdout(r.pulse.Text(reader)).WithStderr(&r.stderr).
		WithRandSource(&chance{rand.NewPCG(spec.Seed, 0)}).
		WithWalltime(func() (int64, int32) { r.look(); return r.clock.wall() }, sys.ClockResolution(tick)).
		WithNanotime(func() int64 { r.look(); return r.clock.nano() }, sys.ClockResolution(tick)).
		WithNanosleep(func(ns int64) { r.look(); r.clock.sleep(ns) })
	forget := context.AfterFunc(ctx, func() { r.stop.Store(true) })
	go func() { // it belongs to whoever waits, who may have to give it up
		defer close(r.ended)
		defer forget()
		var module api.Module
		module, r.err = h.runtime.InstantiateModule(context.WithoutCancel(ctx), h.guest, config)
		if module != nil {
			r.memory = uint64(module.Memory().Size())
			r.err = errors.Join(r.err, module.Close(context.WithoutCancel(ctx)))
		}
	}()
	return r, nil
}

// exitStopped is the exit code of a guest that its host ended.
const exitStopped = 130

// look is where the guest looks at its clock, and where it ends if it should.
func (r *running) look() {
	if r.stop.Load() || r.pulse.GivenUp() {
		panic(sys.NewExitError(exitStopped))
	}
	r.pulse.Beat()
}

// wait returns what has become of the run.
func (r *running) wait(ctx context.Context, ticks <-chan time.Time) (*sim.Outcome, Stats, error) {
	if err := r.pulse.Watch(ctx, ticks, r.ended); err != nil {
		r.host.givenUp.Store(true)
		if ctx.Err() == nil {
			err = &sim.BrokenError{Seed: r.seed, Why: err.Error()}
		}
		return nil, Stats{}, err
	}
	stats := Stats{Virtual: r.clock.now, Memory: r.memory}
	var exited *sys.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, stats, context.Cause(ctx)
	case errors.As(r.err, &exited) && exited.ExitCode() == 0:
	case r.err != nil:
		return nil, stats, sim.Panicked(r.seed, r.stderr.String()+"\n"+r.err.Error())
	}
	outcome, err := r.reader.Outcome()
	return outcome, stats, err
}
