package node

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// tailLines is how many lines of the log are kept for "log tail".
const tailLines = 512

// Logs is where the log of a node goes: to one writer (standard error, or above a live prompt), to a
// file while one is set, and into a ring of the last 512 lines. Its level, and those of single components, can
// change while it runs.
type Logs struct {
	levels     atomic.Pointer[levels]
	components []string  // sorted; those that may have a level of their own
	out        io.Writer // renders JSON lines for people, or passes them on

	set  sync.Mutex // held while levels are replaced
	mu   sync.Mutex
	file *os.File // guarded by mu; nil when there is none
	path string   // guarded by mu; of file
	ring []string // guarded by mu
}

// LogFormats are the formats that NewLogs knows.
var LogFormats = []string{"auto", "json", "console"}

// NewLogs makes logs that write to w in a format: json, console, or auto, which is console on a
// terminal. color applies to console. components are the names that may have a level of their own.
func NewLogs(w io.Writer, format, level string, terminal, color bool, components ...string) (*Logs, error) {
	l := &Logs{out: w, components: slices.Sorted(slices.Values(components))}
	l.levels.Store(&levels{})
	switch {
	case format == "console", format == "auto" && terminal:
		people := zerolog.ConsoleWriter{Out: w, NoColor: !color, TimeFormat: "15:04:05.000"}
		if terminal {
			people.FieldsExclude = []string{"stack"} // it would fill the screen; "log tail" and the file have it
		}
		l.out = people
	case format == "json", format == "auto":
	default:
		return nil, fmt.Errorf("log format %q is none of auto, json, console", format)
	}
	return l, l.SetLevel(level)
}

// Logger is a logger that writes here. A line that nobody wants costs next to nothing.
func (l *Logs) Logger() zerolog.Logger {
	return zerolog.New(l).Sample(wanted{l}).With().Timestamp().Logger()
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
	l.file, l.path = f, path
	l.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.Close()
}

// File is the path that ToFile was given last; "" without a file.
func (l *Logs) File() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.path
}

// Tail returns the last n lines that were written, or those of one component; only the last 512 are kept.
func (l *Logs) Tail(n int, component string) []string {
	l.mu.Lock()
	kept := l.ring[max(0, len(l.ring)-tailLines):]
	lines := append([]string(nil), kept...)
	l.mu.Unlock()
	if component != "" {
		lines = slices.DeleteFunc(lines, func(line string) bool { return string(componentOf([]byte(line))) != component })
	}
	return lines[max(0, len(lines)-n):]
}

// Write makes Logs a writer for zerolog, which calls WriteLevel.
func (l *Logs) Write(p []byte) (int, error) { return l.WriteLevel(zerolog.NoLevel, p) }

// WriteLevel writes a line if its level is high enough.
func (l *Logs) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if !l.levels.Load().writes(level, p) {
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
