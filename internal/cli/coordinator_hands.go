package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/testcoord"
)

// handsOn are the flags of those who want to look at a run with their own hands.
type handsOn struct {
	keep, step bool

	kept  atomic.Bool // a lab was left up
	end   func()      // ends all runs
	lines *lineReader // of standard input
}

func (h *handsOn) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&h.keep, "keep", false, "when a run fails, leave its lab up until Ctrl-C, and say how to open a console on each peer")
	cmd.Flags().BoolVar(&h.step, "step", false, "pause before each step, and take commands for any peer meanwhile; help tells more")
}

func (h *handsOn) check(f *runFlags) error {
	for flag, on := range map[string]bool{"--keep": h.keep, "--step": h.step} {
		switch {
		case on && f.how.runner == inSim:
			return fmt.Errorf("%s is not for --runner sim, whose peers are in no process that one could talk to", flag)
		case on && f.plan.parallel > 1:
			return fmt.Errorf("%s and --parallel %d exclude each other: it is for one run at a time", flag, f.plan.parallel)
		}
	}
	return nil
}

// join lets the coordinator of a run ask the user. bootstrap is the address of its service.
func (h *handsOn) join(std Stdio, f *runFlags, opt *testcoord.Options, coordinator func() *testcoord.Coordinator, bootstrap string) {
	if h.keep {
		opt.Keep = func(ctx context.Context, peers []testcoord.PeerNow) {
			h.kept.Store(true)
			_, _ = fmt.Fprintf(std.Out, "\nthe lab stays up until Ctrl-C; nothing of its cleanup was run yet\n%s  bootstrap  %s\n", doors(f, peers), bootstrap)
			<-ctx.Done()
		}
	}
	if h.step {
		if h.lines == nil {
			h.lines = readLines(std.In)
		}
		s := &stepper{std: std, flags: f, lines: h.lines, coordinator: coordinator, end: h.end, prompt: isTerminal(std.In)}
		opt.Before = s.before
	}
}

// doors tell how to open a console on each peer.
func doors(f *runFlags, peers []testcoord.PeerNow) string {
	var b strings.Builder
	width := len("bootstrap")
	for _, p := range peers {
		width = max(width, len(p.Name))
	}
	for _, p := range peers {
		fmt.Fprintf(&b, "  %-*s  ", width, p.Name)
		switch {
		case p.Gone != "":
			b.WriteString(command.Clean(p.Gone))
		case p.Frozen:
			b.WriteString("is frozen, and does not answer: " + door(f, p.Addr))
		default:
			b.WriteString(door(f, p.Addr))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// door is the command that opens a console there.
func door(f *runFlags, addr string) string {
	words := []string{"peerlab", "console", shellWord(command.Clean(addr))}
	for _, arg := range securityArgs(f.security) {
		words = append(words, shellWord(arg))
	}
	return strings.Join(words, " ")
}

// stepper asks before each step.
type stepper struct {
	std         Stdio
	flags       *runFlags
	lines       *lineReader
	coordinator func() *testcoord.Coordinator
	end         func()
	prompt      bool // a person types
	free        bool // no more pauses
}

const stepHelp = `  Enter, next      run this step
  continue         run all the rest; so does the end of the input
  peers            how to open a console on each peer
  PEER COMMAND…    run a command at a peer
  quit             end the run
`

// before is testcoord.Options.Before.
func (s *stepper) before(ctx context.Context, rec testcoord.StepRecord) error {
	if s.free {
		return nil
	}
	place := fmt.Sprintf("%d", rec.Line)
	if rec.File != "" {
		place = command.Clean(rec.File) + ":" + place
	}
	_, _ = fmt.Fprintf(s.std.Out, "next %12s  %s\n", place, command.Clean(rec.Text))
	for {
		if s.prompt {
			_, _ = fmt.Fprint(s.std.Out, "step> ")
		}
		line, err := s.lines.next(ctx)
		if errors.Is(err, io.EOF) {
			s.free = true
			return nil
		}
		if err != nil {
			return err
		}
		if run, err := s.take(ctx, strings.TrimSpace(line)); run || err != nil {
			return err
		}
	}
}

// take does what a line says, and reports whether the step is to be run.
func (s *stepper) take(ctx context.Context, line string) (run bool, err error) {
	who, what, _ := strings.Cut(line, " ")
	switch {
	case line == "" || line == "next" || line == "n":
		return true, nil
	case line == "continue" || line == "c":
		s.free = true
		return true, nil
	case line == "quit" || line == "q":
		s.end()
		return false, context.Cause(ctx)
	case line == "help" || line == "?":
		_, _ = fmt.Fprint(s.std.Out, stepHelp)
	case line == "peers":
		_, _ = fmt.Fprint(s.std.Out, doors(s.flags, s.coordinator().PeersNow()))
	case strings.TrimSpace(what) == "":
		_, _ = fmt.Fprintf(s.std.Out, "%s what? help tells what there is\n", command.Clean(who))
	default:
		output, err := s.coordinator().Do(ctx, who, strings.TrimSpace(what))
		for text := range strings.Lines(output) {
			_, _ = fmt.Fprintln(s.std.Out, command.Clean(strings.TrimRight(text, "\n")))
		}
		if err != nil {
			_, _ = fmt.Fprintln(s.std.Out, "error:", command.Clean(err.Error()))
		}
	}
	return false, nil
}

// lineReader hands out the lines of a file one by one. The file is read ahead by a goroutine, which ends with the file or the process: what waits for a
// terminal cannot be called back.
type lineReader struct {
	lines chan string
	once  sync.Once
	in    io.Reader
}

func readLines(in *os.File) *lineReader { return &lineReader{lines: make(chan string), in: in} }

// next waits for a line. The error is io.EOF at the end of the file, or the cause of ctx.
func (r *lineReader) next(ctx context.Context) (string, error) {
	r.once.Do(func() {
		go func() {
			defer close(r.lines)
			for in := bufio.NewScanner(r.in); in.Scan(); {
				r.lines <- in.Text()
			}
		}()
	})
	select {
	case line, ok := <-r.lines:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
