package sim

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"peerlab.example/peerlab/internal/testcoord"
)

// kept is a line of details that is shown, in the place of that with its number.
type kept struct {
	at   int
	text string
	left bool // it is "NAME | … lines before", and not what the guest has written
}

// in is what is shown in the place of the line that a guest has written.
func (k kept) in(line []byte) []byte {
	if !k.left {
		return line
	}
	name, _, _ := strings.Cut(k.text, " | ")
	before, _, _ := bytes.Cut(line, []byte(name+" | "))
	return append(bytes.Clone(before), k.text+"\n"...)
}

// outputLine is a line that a command has written at a peer.
var outputLine = regexp.MustCompile(`^(\S+) \| `)

// conditions are what may stand before the words of a step.
var conditions = regexp.MustCompile(`^(\[[^\]]*\]\s*)*([?!]\s*)?`)

// isCommand reports whether the step is a command at peers, whose output a coordinator shows when it is verbose.
func isCommand(s testcoord.StepRecord) bool {
	first, _, _ := strings.Cut(firstWords(s.Text), " ")
	return !s.Invariant && first != "lab" && first != "expect"
}

func firstWords(text string) string {
	return strings.TrimSpace(conditions.ReplaceAllString(strings.TrimSpace(text), ""))
}

// quiet leaves of the details of a command what a coordinator says that is not verbose: of commands that have failed, the last lines.
func (v *view) quiet(s testcoord.StepRecord) []kept {
	var out []kept
	d := s.Details
	for i := 0; i < len(d); {
		name, end := run(d, i)
		if end == i {
			out = append(out, kept{at: i, text: d[i]})
			i++
			continue
		}
		if i > 0 && v.blames(d[i-1], name, s) {
			first := i
			if n := end - i - testcoord.OutputShown; n > 0 {
				first += n
				out = append(out, kept{first - 1, fmt.Sprintf("%s | … %d lines before", name, n), true})
			}
			for j := first; j < end; j++ {
				out = append(out, kept{at: j, text: d[j]})
			}
		}
		i = end
	}
	return out
}

// run is whose output the line at i is, and where that ends; at i if it is none.
func run(d []string, i int) (name string, end int) {
	for end = i; end < len(d); end++ {
		m := outputLine.FindStringSubmatch(d[end])
		if len(m) == 0 || name != "" && m[1] != name {
			break
		}
		name = m[1]
	}
	return name, end
}

// blames reports whether the line is why the command of that peer has failed. Where several peers were told to do the same, it begins with
// the name of its own; else it is the error of the step.
func (v *view) blames(line, name string, s testcoord.StepRecord) bool {
	if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+": ") {
		return true
	}
	other, _, prefixed := strings.Cut(line, ": ")
	return line == s.Err && (strings.HasPrefix(firstWords(s.Text), name+" ") || !prefixed || !v.peers[other])
}
