package report

import (
	"fmt"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// testCase is one thing that passes or fails, as the formats of test tools have it.
type testCase struct {
	name, group string
	file        string
	line        int // 0 when it is no line of the suite
	status      Status
	// outside is whether it is something other than a line of the suite that failed.
	outside  bool
	duration time.Duration
	err      string
	details  []string
}

// cases are the steps, then what went wrong outside of them, then the invariants.
func (r *Run) cases() []testCase {
	var out []testCase
	group := orElse(r.Suite, r.File)
	for _, s := range r.Steps {
		out = append(out, testCase{
			name: fmt.Sprintf("%d: %s", s.Line, s.Name()), group: orElse(s.Section, group), file: orElse(s.File, r.File),
			line: s.Line, status: s.Status, duration: s.Duration, err: s.Err, details: s.Details,
		})
	}
	for _, p := range r.Problems {
		out = append(out, testCase{name: p.Text, group: group, status: Failed, outside: true, err: p.Text, details: p.Details})
	}
	for _, i := range r.Invariants {
		c := testCase{name: "invariant " + i.Name, group: "invariants", status: Passed}
		if !i.OK {
			c.status, c.outside, c.err = Failed, true, i.Message
			for _, p := range i.Proof {
				c.details = append(c.details, fmt.Sprintf("%s#%d %s", p.Peer, p.Seq, p.Text))
			}
		}
		out = append(out, c)
	}
	if r.Interrupted {
		out = append(out, testCase{name: "interrupted", group: group, status: Failed, outside: true, err: "the run was ended from outside"})
	}
	return out
}

// text is the error and the details, a line each.
func (c testCase) text() string {
	var lines []string
	for _, l := range append([]string{c.err}, c.details...) {
		if l != "" {
			lines = append(lines, command.Clean(l))
		}
	}
	return strings.Join(lines, "\n")
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
