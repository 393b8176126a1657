package node

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// tailLines is how many lines of the log are kept for "log tail".
const tailLines = 512

// Logs is where the log of a node goes: to one writer (standard error, or above a live prompt), to a
// file while one is set, and into a ring of the last 512 lines. Its level can change while it runs.
type Logs struct {
	level atomic.Int32 // a zerolog.Level, which is between -1 and 7
	out   io.Writer    // renders JSON lines for people, or passes them on

	mu   sync.Mutex
	file *os.File // guarded by mu; nil when there is none
	ring []string // guarded by mu
}

// LogFormats are the formats that NewLogs knows.
var LogFormats = []string{"auto", "json", "console"}

// NewLogs makes logs that write to w in a format: json, console, or auto, which is console on a
// terminal. color applies to console.
func NewLogs(w io.Writer, format, level string, terminal, color bool) (*Logs, error) {
	l := &Logs{out: w}
	switch {
	case format == "console", format == "auto" && terminal:
		l.out = zerolog.ConsoleWriter{Out: w, NoColor: !color, TimeFormat: "15:04:05.000"}
	case format == "json", format == "auto":
	default:
		return nil, fmt.Errorf("log format %q is none of auto, json, console", format)
	}
	return l, l.SetLevel(level)
}

// Logger is a logger that writes here.
func (l *Logs) Logger() zerolog.Logger { return zerolog.New(l).With().Timestamp().Logger() }

// Level is the lowest level that is written.
func (l *Logs) Level() string { return l.lowest().String() }

func (l *Logs) lowest() zerolog.Level { return zerolog.Level(l.level.Load()) } //nolint:gosec // see level

// SetLevel changes the lowest level that is written: trace, debug, info, warn, error or disabled.
func (l *Logs) SetLevel(level string) error {
	lv, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return fmt.Errorf("log level %q is none of trace, debug, info, warn, error, disabled", level)
	}
	l.level.Store(int32(lv))
	return nil
}

// ToFile adds a file that gets the same lines as JSON. It is appended to, with mode 0600. An empty
// path ends that.
func (l *Logs) ToFile(path string) error {
	var f *os.File
	if path != "" {
		var err error
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("log file: %w", err)
		}
	}
	l.mu.Lock()
	old := l.file
	l.file = f
	l.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.Close()
}

// Tail returns the last n lines that were written, at most 512.
func (l *Logs) Tail(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.ring[max(0, len(l.ring)-min(n, tailLines)):]...)
}

// Write makes Logs a writer for zerolog, which calls WriteLevel.
func (l *Logs) Write(p []byte) (int, error) { return l.WriteLevel(zerolog.NoLevel, p) }

// WriteLevel writes a line if its level is high enough.
func (l *Logs) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if level < l.lowest() {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring = append(l.ring, string(bytes.TrimRight(p, "\n")))
	if len(l.ring) >= 2*tailLines {
		l.ring = append([]string(nil), l.ring[len(l.ring)-tailLines:]...)
	}
	if l.file != nil {
		_, _ = l.file.Write(p) // a full disk must not stop the node, and there is nowhere to say so
	}
	if _, err := l.out.Write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
