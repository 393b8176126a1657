package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"peerlab.example/peerlab/internal/command"
)

// toScreen shows the result, through a pager if it is longer than the window.
func (s *Session) toScreen(ctx context.Context, st *statement, f *frame) command.Outcome {
	t := s.cfg.Output.Terminal()
	if t == nil || !s.cfg.Interactive || !s.option(&s.pager) {
		f.as.To = f.results
		return s.execute(ctx, st, f)
	}
	var text bytes.Buffer
	f.as.To = &text
	o := s.execute(ctx, st, f)
	rows, _ := t.Size()
	if o.Err == nil && bytes.Count(text.Bytes(), []byte("\n")) >= rows && s.page(ctx, t, text.Bytes()) {
		return o
	}
	if _, err := f.results.Write(text.Bytes()); err != nil && o.Err == nil {
		o.Err = err
	}
	return o
}

// page shows text with the pager, and reports whether there was one.
func (s *Session) page(ctx context.Context, t Terminal, text []byte) bool {
	name := os.Getenv("PAGER")
	if name == "" {
		name = "less -FRX"
	}
	cmd := shellCommand(ctx, name)
	if _, err := exec.LookPath(strings.Fields(name + " ?")[0]); err != nil {
		return false
	}
	resume := t.Pause()
	defer resume()
	flushed := strings.Split(string(text), "\n")
	for i, line := range flushed {
		flushed[i] = command.Clean(line)
	}
	endGently(cmd)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(flushed, "\n")), os.Stdout, os.Stderr
	_ = cmd.Run() // whatever ends a pager, the user has seen enough
	return true
}

// toFile writes the result into a file. The file is opened before the command runs, and nothing is
// written to it unless the command succeeds.
func (s *Session) toFile(ctx context.Context, st *statement, f *frame) command.Outcome {
	flags := os.O_CREATE | os.O_WRONLY
	if st.target.add {
		flags |= os.O_APPEND
	}
	_, err := os.Stat(st.target.what)
	made := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(filepath.Clean(st.target.what), flags, 0o644) //nolint:gosec // as any shell does; umask applies
	if err != nil {
		return command.Outcome{Err: err}
	}
	text, o := s.collect(ctx, st, f)
	if o.Err == nil && !st.target.add {
		o.Err = truncate(file)
	}
	if o.Err == nil {
		_, o.Err = file.Write(text)
	}
	if err := file.Close(); err != nil && o.Err == nil {
		o.Err = err
	}
	if o.Err != nil && made {
		_ = os.Remove(file.Name())
	}
	return o
}

// collect runs a statement and returns its result; of a command that has none, such as shell, what it writes.
func (s *Session) collect(ctx context.Context, st *statement, f *frame) ([]byte, command.Outcome) {
	var text, progress results
	out := f.out
	f.out, f.results, f.as.To = &progress, &text, &text
	o := s.execute(ctx, st, f)
	result, said := text.close(), progress.close()
	if len(result) == 0 && o.Err == nil {
		return said, o
	}
	if _, err := out.Write(said); err != nil && o.Err == nil {
		o.Err = err
	}
	return result, o
}

// results are what one line gives, which may be that of many commands.
// A command may write from several goroutines, and one that was left to itself even after close.
type results struct {
	mu     sync.Mutex
	buf    bytes.Buffer // guarded by mu
	closed bool         // guarded by mu
}

// close ends the writing, and returns what was written.
func (r *results) close() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.buf.Bytes()
}

// maxResults is how many bytes of results a line may give to a file or a program.
const maxResults = 4 * command.MaxOutput

// Write refuses what is too much.
func (r *results) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return len(p), nil
	}
	if r.buf.Len()+len(p) > maxResults {
		return 0, fmt.Errorf("the results of one line have more than %d MiB", maxResults>>20)
	}
	return r.buf.Write(p)
}

// truncate empties a file that can be: a device or a pipe cannot, and need not.
func truncate(f *os.File) error {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Truncate(0)
}

// toPipe gives the result to a command of the shell of the one who types. Readers of JSON get JSON.
func (s *Session) toPipe(ctx context.Context, st *statement, f *frame) command.Outcome {
	if f.as.Format == command.FormatTable {
		f.as.Format = wants(st.target.what)
	}
	to := f.results
	text, o := s.collect(ctx, st, f)
	if o.Err != nil {
		return o
	}
	cmd := shellCommand(ctx, st.target.what)
	cmd.Stdin, cmd.Env = bytes.NewReader(text), s.environment()
	if t := s.cfg.Output.Terminal(); t != nil && s.cfg.Interactive {
		resume := t.Pause()
		defer resume()
		endGently(cmd)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // the terminal itself, for colours and for less
	} else {
		ownGroup(cmd)
		notes := s.cfg.Output.Notes()
		defer notes.Flush()
		cmd.Stdout, cmd.Stderr = to, notes
	}
	o.Err = shellError(ctx, st.target.what, cmd.Run())
	return o
}

// wants is the format that a program reads, as far as it is known; the others read what people do.
func wants(shell string) command.Format {
	switch name, _, _ := strings.Cut(shell, " "); filepath.Base(name) {
	case "jq", "gojq", "jaq":
		return command.FormatJSON
	case "yq":
		return command.FormatYAML
	}
	return command.FormatTable
}

// environment is that of the process with the variables of the session.
func (s *Session) environment() []string {
	env := os.Environ()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range s.vars {
		if len(value) < maxEnv && !strings.Contains(value, "\x00") {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// maxEnv is the longest variable that a program is given: Linux takes 128 KiB for one string.
const maxEnv = 64 << 10

// shellCommand is a command of the shell that ends with ctx.
func shellCommand(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line) //nolint:gosec // this is what the user asked for; callers elsewhere are refused
	cmd.WaitDelay = shellGrace
	return cmd
}

// endGently lets a program that has the terminal put it in order when the context ends.
func endGently(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
}

// shellError says how a command of the shell ended.
func shellError(ctx context.Context, line string, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit):
		return fmt.Errorf("%s: %s", line, exit.ProcessState)
	}
	return fmt.Errorf("%s: %w", line, err)
}
