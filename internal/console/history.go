package console

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// maxHistory is how many lines are kept.
const maxHistory = 1000

// History are the lines that a person typed, kept in a file from one session to the next.
type History struct {
	path string

	mu    sync.Mutex
	lines []string // guarded by mu; the newest last
}

// NewHistory reads the file at path. An empty path, or a file that cannot be read, makes a history for this
// session only.
func NewHistory(path string) *History {
	h := &History{path: path}
	f, err := os.Open(path) //nolint:gosec // the user's own file
	if err != nil {
		return h
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		h.lines = append(h.lines, lines.Text())
	}
	if len(h.lines) > maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
		_ = h.rewrite() // it only grows a little longer otherwise
	}
	return h
}

// Add keeps a line, unless it is empty, begins with a blank, or repeats the one before.
func (h *History) Add(line string) {
	if strings.TrimSpace(line) == "" || line[0] == ' ' || line[0] == '\t' || strings.ContainsAny(line, "\r\n") {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.path == "" {
		return
	}
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return // a read-only home must not disturb the session
	}
	defer func() { _ = f.Close() }()
	_, _ = f.WriteString(line + "\n")
}

// Lines are all lines, the newest last.
func (h *History) Lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.lines...)
}

// Expand turns !! (the last line), !N (the Nth of "history") and !TEXT (the last that begins with TEXT) into
// that line. Other lines stay as they are.
func (h *History) Expand(line string) (string, error) {
	want, ok := strings.CutPrefix(strings.TrimSpace(line), "!")
	if !ok || want == "" {
		return line, nil
	}
	lines := h.Lines()
	if n, err := strconv.Atoi(want); err == nil {
		if n < 1 || n > len(lines) {
			return "", fmt.Errorf("there is no line %d in the history", n)
		}
		return lines[n-1], nil
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if want == "!" || strings.HasPrefix(lines[i], want) {
			return lines[i], nil
		}
	}
	return "", fmt.Errorf("no line in the history begins with %q", want)
}

func (h *History) rewrite() error {
	return os.WriteFile(h.path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
}
