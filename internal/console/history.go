package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"peerlab.example/peerlab/internal/atomicfile"
	"peerlab.example/peerlab/internal/command"
)

// historyCap is how many lines are kept.
const historyCap = 1000

// History is the lines that were typed at a prompt, kept in a file that only the user can read. Several
// consoles may share the file: each appends what it accepts and sees the others' lines at its next start.
type History struct {
	path string

	mu    sync.Mutex
	lines []string // guarded by mu; cleaned, at most historyCap
	first int      // guarded by mu; the number of lines[0], from 1
	err   error    // guarded by mu; why the file cannot be used
}

// Entry is a line of the history with its number.
type Entry struct {
	N    int
	Line string
}

// NewHistory reads the file, if there is one. An empty path keeps the history in memory only. A file that
// cannot be used is no reason to have no console: see Err.
func NewHistory(path string) *History {
	h := &History{path: path, first: 1}
	if path != "" {
		h.err = h.load()
	}
	return h
}

// load reads the last lines of the file, and shortens it when it is much longer than they are.
func (h *History) load() error {
	f, err := os.Open(h.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		_ = f.Chmod(0o600) // what is typed may be secret; the file of another user cannot be changed
	}
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxScriptLine)
	read := 0
	for s.Scan() {
		if line := command.Clean(s.Text()); strings.TrimSpace(line) != "" {
			read++
			h.push(line)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("history: read %s: %w", h.path, err)
	}
	h.first = 1
	if read > 2*historyCap {
		return h.rewrite()
	}
	return nil
}

// rewrite replaces the file by the lines that are kept.
func (h *History) rewrite() error {
	if err := atomicfile.Write(h.path, 0o600, false, atomicfile.Bytes([]byte(strings.Join(h.lines, "\n")+"\n"))); err != nil {
		return fmt.Errorf("history: shorten %s: %w", h.path, err)
	}
	return nil
}

// push appends a line to memory.
func (h *History) push(line string) {
	h.lines = append(h.lines, line)
	if over := len(h.lines) - historyCap; over > 0 {
		h.lines = append(h.lines[:0:0], h.lines[over:]...)
		h.first += over
	}
}

// Add keeps a line, unless it begins with a blank or is the same as the one before.
func (h *History) Add(line string) {
	line = command.Clean(line)
	if line == "" || strings.HasPrefix(line, " ") {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return
	}
	h.push(line)
	if h.path != "" && h.err == nil {
		h.err = h.append(line)
	}
}

func (h *History) append(line string) error {
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	_, err = f.WriteString(line + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// Err is why the file is not used any more, or nil.
func (h *History) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Lines are all lines, oldest first. The slice is the caller's.
func (h *History) Lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.lines...)
}

// Find returns the lines that contain text, oldest first.
func (h *History) Find(text string) []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Entry
	for i, line := range h.lines {
		if strings.Contains(line, text) {
			out = append(out, Entry{N: h.first + i, Line: line})
		}
	}
	return out
}

// Expand turns !NUMBER, !START and !! into the line they mean: the one of that number, the newest
// that begins so, the last one. Any other line is returned as it is.
func (h *History) Expand(line string) (string, error) {
	what, ok := strings.CutPrefix(strings.TrimSpace(line), "!")
	if !ok || what == "" {
		return line, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, ok := parseNumber(what); ok {
		if i := n - h.first; i >= 0 && i < len(h.lines) {
			return h.lines[i], nil
		}
		return "", fmt.Errorf("the history has no line %d", n)
	}
	if what == "!" {
		what = ""
	}
	for i := len(h.lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(h.lines[i], what) {
			return h.lines[i], nil
		}
	}
	return "", fmt.Errorf("no line of the history begins with %q", what)
}

type historyKey struct{}

// WithHistory gives the command "history" the history of the prompt that runs it.
func WithHistory(ctx context.Context, h *History) context.Context {
	return context.WithValue(ctx, historyKey{}, h)
}

func historyOf(ctx context.Context) *History {
	h, _ := ctx.Value(historyKey{}).(*History)
	return h
}
