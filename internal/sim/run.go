package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/testcoord"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// RunnerName is what suites and reports call the simulation.
const RunnerName = "sim"

// Run runs the suite of a spec with these applications. out gets what a person watches. The outcome is nil when the run could not
// be made; else the error says why not every step was tried. When Run returns, all that it started has been told to end, and
// memberlist's last probes end within a minute.
func Run(ctx context.Context, spec *Spec, apps []func() app.App, out io.Writer) (outcome *Outcome, err error) {
	if err := checkProfile(spec.Profile); err != nil {
		return nil, err
	}
	suite, err := parse(spec, apps)
	if err != nil {
		return nil, err
	}
	s := &simulation{spec: spec, suite: suite, apps: apps, places: newPlaces(spec.Profile, spec.Seed), tails: map[string]*tail{}}
	for _, name := range suite.Peers {
		s.places.ip(name) // in the order of the suite, so that each has its address whoever is started first
	}
	defer func() { err = errors.Join(err, s.close()) }()
	coordinator, err := s.coordinator(ctx, out)
	if err != nil {
		return nil, err
	}
	result, err := coordinator.Run(ctx)
	known, missed := coordinator.Log()
	return &Outcome{Result: result, Log: known, Missed: missed, Logs: s.logs()}, err
}

// parse reads the suite again, as the host has read it.
func parse(spec *Spec, apps []func() app.App) (*testcoord.Suite, error) {
	table, err := lab.Table(apps)
	if err != nil {
		return nil, err
	}
	src, err := spec.read(spec.File)
	if err != nil {
		return nil, err
	}
	return testcoord.ParseWith(spec.File, src, testcoord.ParseOptions{Table: table, Read: spec.read, Params: spec.Params, Runner: RunnerName})
}

// coordinator starts the bootstrap service and the coordinator.
func (s *simulation) coordinator(ctx context.Context, out io.Writer) (*testcoord.Coordinator, error) {
	boot, err := lab.StartBootstrap(ctx, lab.BootstrapConfig{
		Listen: bootstrapIP + ":7700", Network: s.places.memory.Host(bootstrapIP), Security: unprotected(), Log: zerolog.Nop(),
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, boot.Close)
	s.bootstrap = boot.Addr()
	home := s.places.memory.Host(coordinatorIP)
	conn, err := node.Dial(home, unprotected(), s.bootstrap)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, conn.Close)
	server := node.NewServer(node.ServerConfig{
		Role: "coordinator", Name: "coordinator", Network: home, Security: unprotected(), Events: event.New("coordinator", eventsKept), Log: zerolog.Nop(),
	})
	s.closers = append(s.closers, server.Close)
	c := testcoord.New(s.suite, testcoord.Options{
		Runner: s, RunnerName: RunnerName, Bootstrap: bootstrapv1.NewBootstrapServiceClient(conn), Control: boot,
		Seed: s.spec.Seed, Out: out, Color: s.spec.Color, Verbose: s.spec.Verbose, KeepGoing: s.spec.KeepGoing, Timeout: s.spec.Timeout, StepTimeout: s.spec.StepTimeout,
		KeepEvents: s.spec.KeepEvents, Observer: s.spec.Observer, Screen: s.spec.Screen, Log: zerolog.Nop(),
	})
	testcoordv1.RegisterCoordinatorServiceServer(server, c)
	if err := server.Start(ctx, coordinatorIP+":7700"); err != nil {
		return nil, fmt.Errorf("coordinator: %w", err)
	}
	server.SetServing(true)
	s.coordinatorAddr = server.Addr()
	return c, nil
}

// unprotected is the security of hosts that nothing outside can reach.
func unprotected() *node.Security {
	s, err := node.LoadSecurity(node.SecurityConfig{Insecure: true})
	if err != nil {
		panic(err) // there is nothing to load
	}
	return s
}

// close ends all, the newest first.
func (s *simulation) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// Settle is after what virtual time nothing of a simulation is left: memberlist's last probes outlive it so long.
const Settle = 2 * time.Minute
