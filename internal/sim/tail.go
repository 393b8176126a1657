package sim

import (
	"strings"
	"sync"
)

// tailKept is how much of the end of its log is kept for each peer, in bytes.
const tailKept = 64 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte // guarded by mu
}

// Write takes more.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	if len(t.end) > 2*tailKept {
		t.end = append([]byte(nil), t.end[len(t.end)-tailKept:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.end), "\ufffd")
}

// lines are the last n.
func (t *tail) lines(n int) []string {
	text := strings.TrimRight(t.text(), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-n):]
}
