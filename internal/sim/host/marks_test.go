package host

import (
	"bytes"
	"strings"
	"time"
)

// marks notes when which line was written.
type marks struct {
	begin time.Time
	lines []string
	at    []time.Time
}

func (m *marks) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		m.lines, m.at = append(m.lines, string(line)), append(m.at, time.Now())
	}
	return len(b), nil
}

func (m *marks) String() string { return strings.Join(m.lines, "") }

// between is the time between the first lines that contain these; "" is the beginning.
func (m *marks) between(from, to string) time.Duration {
	find := func(text string) time.Time {
		for i, line := range m.lines {
			if text != "" && strings.Contains(line, text) {
				return m.at[i]
			}
		}
		return m.begin
	}
	return find(to).Sub(find(from))
}
