package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
)

// plan says how often suites are run, and how many at once.
type plan struct {
	selection
	repeat       int
	parallel     int
	untilFailure bool
	watch        bool
}

func (p *plan) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.filter, "filter", "", "run only suites whose name or file matches this regular expression")
	flags.StringSliceVar(&p.tags, "tag", nil, "run only suites with this tag, or without !TAG; several must all hold")
	flags.IntVar(&p.repeat, "repeat", 0, "run each suite so often (default 1)")
	flags.IntVar(&p.parallel, "parallel", 1, "run so many suites at once; each has a service and peers of its own")
	flags.BoolVar(&p.untilFailure, "until-failure", false, "run the suites again and again until one fails, or --repeat times")
	flags.BoolVar(&p.watch, "watch", false, "run the suites again whenever one of the files changes")
}

func (p *plan) check(f *runFlags) error {
	_, port, _ := net.SplitHostPort(f.listen) // what is wrong with it is told elsewhere
	switch {
	case p.repeat < 0 || p.repeat > 1_000_000:
		return fmt.Errorf("--repeat %d: must be 1 to 1000000", p.repeat)
	case p.parallel < 1 || p.parallel > 100:
		return fmt.Errorf("--parallel %d: must be 1 to 100", p.parallel)
	case p.parallel > 1 && port != "0" && port != "":
		return fmt.Errorf("--parallel %d wants a port for each run: --listen with port 0", p.parallel)
	case f.keep < 1:
		return fmt.Errorf("--keep-events %d: must be 1 or more", f.keep)
	case p.watch && p.untilFailure:
		return errors.New("--watch and --until-failure exclude each other")
	}
	return nil
}

// rounds is how often each suite is run, 0 for no end.
func (p *plan) rounds() int {
	if p.repeat == 0 && !p.untilFailure {
		return 1
	}
	return p.repeat
}

// session is one "coordinator run", with what all its runs share.
type session struct {
	std      Stdio
	flags    *runFlags
	apps     []func() app.App
	security *node.Security
	log      zerolog.Logger
	sim      simulator // nil for other runners
	audience *audience
	ui       *ui // nil without --ui
}

// runSuites runs what was named, once or as often as the plan says.
func runSuites(ctx context.Context, std Stdio, f *runFlags, apps []func() app.App, paths []string) (err error) {
	if err := cmp.Or(f.plan.check(f), f.hands.check(f)); err != nil {
		return exit{exitUsage, err}
	}
	s := &session{flags: f, apps: apps}
	s.audience, s.std = newAudience(std)
	std = s.std
	if s.log, err = f.logger(std); err != nil {
		return err
	}
	f.inNamespaces()
	if s.security, err = f.load(); err != nil {
		return err
	}
	if err := s.security.CheckBind("--listen", f.listen); err != nil {
		return exit{exitUsage, err}
	}
	if err := f.ui.check(s.security); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.hands.end = func() { cancel(signalError{os.Interrupt}) }
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	if f.plan.watch {
		return s.watch(ctx, paths)
	}
	err = s.once(ctx, paths)
	if f.ui.stay {
		err = s.stay(ctx, err)
	}
	return err
}

// open lets others see the runs.
func (s *session) open(ctx context.Context) (err error) {
	if s.flags.ui.addr != "" {
		if s.ui, err = startUI(ctx, &s.flags.ui, s.security, s.log); err != nil {
			return err
		}
		s.audience.site = s.ui.site
		_, _ = fmt.Fprintf(s.std.Out, "runs are shown on %s: %s/\n", s.ui.server.Addr(), s.ui.server.URL())
	}
	s.audience.start()
	return nil
}

// run runs a suite on the runner that the user wants.
func (s *session) run(ctx context.Context, std Stdio, f *runFlags, suite *testcoord.Suite, seen *sight) (*report.Run, error) {
	if s.sim != nil {
		return simulate(ctx, std, f, s.sim, suite, seen)
	}
	return runSuite(ctx, std, f, s.security, s.log, suite, seen)
}

func (s *session) close() error {
	s.audience.end()
	var err error
	if s.ui != nil {
		err = s.ui.Close()
	}
	if s.sim != nil {
		s.sim.close()
	}
	return err
}

// once runs what was named according to the plan.
func (s *session) once(ctx context.Context, paths []string) error {
	files, err := suiteFiles(paths)
	if err != nil {
		return err
	}
	opt, err := s.flags.how.parsing()
	if err != nil {
		return err
	}
	opt.Without = s.flags.attach.cannot()
	if s.flags.how.runner == inNetns {
		opt.Rule = netnsRules(ctx)
	}
	suites, err := parseSuites(s.std, s.apps, files, opt)
	if err != nil {
		return err
	}
	if suites, err = s.flags.plan.pick(suites); err != nil {
		return err
	}
	if err := s.flags.reports.check(); err != nil {
		return exit{exitUsage, err}
	}
	if s.sim == nil && s.flags.how.runner == inSim {
		if s.sim, err = newSimulator(ctx, s.std, &s.flags.how.sim); err != nil {
			return err
		}
	}
	r := &runs{session: s, suites: suites, folders: folderNames(suites), many: len(suites) > 1 || s.flags.plan.rounds() != 1}
	r.reports.flags = s.flags.reports
	s.audience.expect(r.many)
	err = errors.Join(r.all(ctx), r.reports.write())
	if i := interrupted(ctx); i != nil && !s.flags.hands.kept.Load() { // Ctrl-C is how a lab that was kept is ended
		return i
	}
	if err != nil {
		return err
	}
	r.summary()
	if len(r.failed) > 0 {
		return exit{code: exitFailed}
	}
	return nil
}

// watchEvery is how often files are looked at. A person who saves a file waits for no more than that.
const watchEvery = 300 * time.Millisecond

// watch runs the suites, and again when a file has changed, until ctx ends. Mistakes in a suite are told, and waited for to
// be mended.
func (s *session) watch(ctx context.Context, paths []string) error {
	for {
		before, err := s.stamps(paths)
		if err != nil {
			return err
		}
		err = s.once(ctx, paths)
		if i := interrupted(ctx); i != nil {
			return i
		}
		if e := (exit{}); err != nil && (!errors.As(err, &e) || e.err != nil) {
			_, _ = fmt.Fprintln(s.std.Err, "peerlab: error:", command.Clean(err.Error()))
		}
		_, _ = fmt.Fprintln(s.std.Out, "waiting for a file to change; Ctrl-C ends")
		for changed := false; !changed; {
			select {
			case <-ctx.Done():
				return interrupted(ctx)
			case <-time.After(watchEvery):
			}
			now, err := s.stamps(paths)
			if err != nil {
				return err
			}
			changed = !maps.Equal(before, now)
		}
	}
}

// stamps are those of all files that were named. A folder is read anew, since files come and go.
func (s *session) stamps(paths []string) (map[string]int64, error) {
	files, err := suiteFiles(paths)
	if err != nil {
		files = paths // something is gone, and may come back
	}
	return stamps(files)
}

// runs are all runs of a plan.
type runs struct {
	*session
	suites []*testcoord.Suite
	many   bool // more than one run
	// folders are the first part of the names of the suites' folders.
	folders map[*testcoord.Suite]string

	mu      sync.Mutex
	done    int      // guarded by mu
	failed  []string // guarded by mu; descriptions
	err     error    // guarded by mu; of a run that could not be made
	reports reports  // guarded by mu
}

// all runs each suite in each round, so many at once as the plan allows, until one fails where the plan says so.
func (r *runs) all(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, r.flags.plan.parallel)
	var working sync.WaitGroup
	defer working.Wait()
	rounds := r.flags.plan.rounds()
	for round := 1; rounds == 0 || round <= rounds; round++ {
		for _, suite := range r.suites {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				working.Wait()
				return r.stopped()
			}
			working.Go(func() {
				defer func() { <-slots }()
				if !r.one(ctx, suite, round) {
					cancel()
				}
			})
		}
	}
	working.Wait()
	return r.stopped()
}

func (r *runs) stopped() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// one makes a run, and reports whether to go on.
func (r *runs) one(ctx context.Context, suite *testcoord.Suite, round int) bool {
	flags, std := *r.flags, r.std
	var shown bytes.Buffer
	if flags.plan.parallel > 1 {
		std.Out = &shown // one after the other, or nobody could read it
	}
	flags.how.seed = flags.how.seedOf(suite, round)
	title := suite.Name
	if flags.plan.rounds() != 1 {
		title = fmt.Sprintf("%s, round %d", suite.Name, round)
		_, _ = fmt.Fprintf(std.Out, "-- round %d of %s\n", round, command.Clean(suite.Name))
	}
	if flags.logs != "" {
		flags.logs = filepath.Join(flags.logs, r.folder(suite, round))
	}
	var run *report.Run
	err := makeLogs(flags.logs)
	if err == nil {
		seen := r.audience.begin(suite, &flags.how, title)
		run, err = r.run(ctx, std, &flags, suite, seen)
		seen.over(run, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.std.Out.Write(shown.Bytes())
	r.done++
	if run != nil {
		err = errors.Join(err, r.reports.add(run, r.folder(suite, round), title))
	}
	switch {
	case err != nil:
		if r.err == nil && ctx.Err() == nil {
			r.err = err
		}
		return false
	case !run.OK():
		_, _ = fmt.Fprintln(r.std.Out, flags.again(suite.File))
		r.failed = append(r.failed, title)
		return !r.flags.plan.untilFailure
	}
	return true
}

// folder is where the files of a run go, below what the flags say; "" when there is only one run.
func (r *runs) folder(suite *testcoord.Suite, round int) string {
	if !r.many {
		return ""
	}
	return fmt.Sprintf("%s-%d", r.folders[suite], round)
}

// folderNames are names for folders, which no two suites share, also when they have the same name.
func folderNames(suites []*testcoord.Suite) map[*testcoord.Suite]string {
	out, taken := map[*testcoord.Suite]string{}, map[string]bool{}
	for _, s := range suites {
		name := fileName(s.Name)
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", fileName(s.Name), n)
		}
		taken[name], out[s] = true, name
	}
	return out
}

func makeLogs(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit{exitUsage, fmt.Errorf("--logs: %w", err)}
	}
	return nil
}

// fileName is a suite's name as part of a path.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
}

// summary tells of all runs when there was more than one.
func (r *runs) summary() {
	if !r.many {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintf(r.std.Out, "%d of %s passed\n", r.done-len(r.failed), counted(r.done, "run"))
	for _, title := range r.failed {
		_, _ = fmt.Fprintln(r.std.Out, "  failed:", command.Clean(title))
	}
}
