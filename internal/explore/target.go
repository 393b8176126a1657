package explore

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/testcoord"
)

// Target is a suite as far as faults are concerned: where they can be put, and whom they can strike.
type Target struct {
	// Peers are all peers of the suite.
	Peers []string
	// Places are the numbers of the lines before which faults can stand: those of the steps that stand in the suite's own file and in
	// no block, after the first that makes peers members, and before the last of several sections, which says what holds when all is over.
	// Steps that judge the output of the command before them are none.
	Places []int

	spared []string       // peers that the suite itself ends or stops
	begun  map[string]int // by peer, the first of Places at which it has been told to begin
	kept   []kept         // of each of Places
	last   int            // the line of the last of several sections, else 0
	src    []byte         // without a byte order mark
}

// bom is what some editors begin a text in UTF-8 with. Lines before it would make it part of a word.
var bom = []byte("\ufeff")

// NewTarget reads a suite, which src is the main file of.
func NewTarget(suite *testcoord.Suite, src []byte) *Target {
	t := &Target{Peers: suite.Peers, begun: map[string]int{}, src: bytes.TrimPrefix(src, bom)}
	each(suite, suite.Steps, func(w testcoord.Words) {
		if ends(w) {
			t.spared = append(t.spared, w.Peers...)
		}
	})
	t.last = lastSection(suite.Steps)
	keeps := keeps(suite)
	for i, s := range suite.Steps {
		if s.File == "" && len(t.begun) > 0 && (t.last == 0 || s.Line < t.last) && !suite.Words(s).Judges {
			t.Places = append(t.Places, s.Line)
			t.kept = append(t.kept, keeps[i])
		}
		each(suite, []*testcoord.Step{s}, func(w testcoord.Words) {
			if !begins(w) {
				return
			}
			for _, name := range w.Peers {
				if _, known := t.begun[name]; !known {
					t.begun[name] = len(t.Places)
				}
			}
		})
	}
	return t
}

// lastSection is the line of the last of several sections, or 0.
func lastSection(steps []*testcoord.Step) (line int) {
	sections := 0
	for _, s := range steps {
		if s.File == "" && strings.HasPrefix(s.Text, "section") {
			line = s.Line
			sections++
		}
	}
	if sections < 2 {
		return 0
	}
	return line
}

// Permits reports whether there is a place for faults.
func (t *Target) Permits() bool { return len(t.Places) > 0 }

// mayEnd reports whether a peer may be frozen or killed there. Who is killed is told to begin again, and so must have begun.
func (t *Target) mayEnd(name string, place int, kind Kind) bool {
	begun, ok := t.begun[name]
	keep := t.kept[place]
	switch {
	case keep.named, slices.Contains(keep.busy, name), slices.Contains(t.spared, name):
		return false
	case kind == Freeze:
		return true
	}
	return ok && place >= begun && !slices.Contains(keep.output, name)
}

// order is the order of the suite.
func (t *Target) order(a, b string) int { return slices.Index(t.Peers, a) - slices.Index(t.Peers, b) }

// line is one of a suite with faults in it.
type line struct {
	text  string // with its end
	of    int    // the number that it has in the suite; 0 when it is not of the suite
	fault int    // which of the faults it belongs to; -1 for none
}

// lines are the suite with faults in it, after some more lines. Before the last section, faults end.
func (t *Target) lines(faults []Fault, head []string) (out []line) {
	add := func(fault int, more ...string) {
		for _, text := range more {
			out = append(out, line{text: text + "\n", fault: fault})
		}
	}
	add(-1, head...)
	for i, text := range bytes.SplitAfter(t.src, []byte("\n")) {
		var rest time.Duration
		for k, f := range faults {
			if t.Places[f.Place] == i+1 {
				add(k, f.Lines()...)
			}
			rest = max(rest, f.Length)
		}
		if i+1 == t.last && rest > 0 {
			add(-1, "lab sleep "+command.Duration(rest))
		}
		out = append(out, line{text: string(text), of: i + 1, fault: -1})
	}
	return out
}

// With is the suite with faults in it, after some more lines. Its lines are those that the suite has, with those of the faults between them.
func (t *Target) With(faults []Fault, head []string) []byte {
	var out bytes.Buffer
	for _, l := range t.lines(faults, head) {
		out.WriteString(l.text)
	}
	return out.Bytes()
}

// Origin is the number that a line of With(faults, head) has in the suite; 0 for a line that is not of the suite. fault is
// which of the faults such a line belongs to, or -1.
func (t *Target) Origin(number int, faults []Fault, head []string) (of, fault int) {
	l := t.lines(faults, head)[number-1]
	return l.of, l.fault
}
