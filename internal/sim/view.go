package sim

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"peerlab.example/peerlab/internal/testcoord"
)

// view is what a guest tells, as the user wants to see it: with their names of files, and without colour and the output of commands that
// have passed unless they want these.
type view struct {
	spec  *Spec
	names map[string]string // by name in the guest; nil where the guest has those of the user
	peers map[string]bool

	// next is the step that the next lines of text are about, when some of them are not to be shown.
	next *shownStep
}

func newView(spec *Spec, names map[string]string) *view {
	return &view{spec: spec, names: names, peers: map[string]bool{}}
}

// shownStep is a step whose lines are on their way: its own, its error, and the details.
type shownStep struct {
	line  int  // of its own line, until that has come; then 0
	fails bool // the error comes next
	full  int  // how many details a guest writes
	kept  []kept
	at    int // how many have come
}

// step is a record as the user is told it. The lines of text that follow are about it.
func (v *view) step(s testcoord.StepRecord) testcoord.StepRecord {
	v.next = nil
	full := s.Details
	s.File = cmp.Or(v.names[s.File], s.File)
	if v.spec.Verbose || !isCommand(s) {
		return s
	}
	left := v.quiet(s)
	if len(left) == len(full) && !slices.ContainsFunc(left, func(k kept) bool { return k.left }) {
		return s
	}
	s.Details = nil
	for _, k := range left {
		s.Details = append(s.Details, k.text)
	}
	v.next = &shownStep{line: s.Line, fails: s.Err != ""}
	for i, d := range full {
		if d == s.Err { // it is not written twice
			continue
		}
		for _, k := range left {
			if k.at == i {
				v.next.kept = append(v.next.kept, kept{v.next.full, k.text, k.left})
			}
		}
		v.next.full++
	}
	return s
}

// result puts a result as the user wants it.
func (v *view) result(r *testcoord.Result) {
	if r == nil {
		return
	}
	for i, s := range r.Steps {
		r.Steps[i] = v.step(s)
	}
	v.next = nil
	r.File = v.spec.File
	if r.Suite == nameInGuest {
		r.Suite = nameOf(r.File)
	}
}

// problem puts the user's name of the suite into an error.
func (v *view) problem(text string) string {
	return strings.ReplaceAll(text, suiteInGuest, v.spec.File)
}

var (
	// colour is what a printer puts around words. All else that could be meant for a terminal was cleaned away.
	colour = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// head is how the line of a step begins, up to its number.
	head = regexp.MustCompile(`^(?:\x1b\[\d+m)?(?:ok  |FAIL|skip)(?:\x1b\[0m)? +\d\S* +(?:\S.*?:)?(\d+)  `)
	// place is how a line about a step of another file begins, up to the number of the line.
	place = regexp.MustCompile(`^((?:\x1b\[\d+m)?(?:ok  |FAIL|skip|    )(?:\x1b\[0m)? +(?:\d\S* )?)(\S.*?)(:\d+  )`)
	// verdict is how the last line begins when the suite has no name.
	verdict = regexp.MustCompile(`^((?:\x1b\[\d+m)?(?:PASS|FAIL)(?:\x1b\[0m)? )` + regexp.QuoteMeta(nameInGuest) + `  `)
)

// write is a piece of text as it is shown.
func (v *view) write(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(out, v.line(line)...)
	}
	if !v.spec.Color {
		out = colour.ReplaceAll(out, nil)
	}
	return out
}

func (v *view) line(line []byte) []byte {
	if v.next != nil && v.next.full > 0 {
		return v.detail(line)
	}
	return v.named(line)
}

// named puts in the names that the user knows.
func (v *view) named(line []byte) []byte {
	if m := place.FindSubmatch(line); len(m) > 0 && v.names[string(m[2])] != "" {
		return bytes.Join([][]byte{m[1], []byte(printable(v.names[string(m[2])])), line[len(m[1])+len(m[2]):]}, nil)
	}
	if m := verdict.FindSubmatch(line); m != nil {
		return bytes.Join([][]byte{m[1], []byte(printable(nameOf(v.spec.File))), line[len(m[0])-2:]}, nil)
	}
	return line
}

// printable is a name of a file without what could be meant for a terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, name)
}

// detail is a line of the step that comes, or nothing.
func (v *view) detail(line []byte) []byte {
	n := v.next
	switch {
	case n.line > 0:
		if m := head.FindSubmatch(line); len(m) < 2 || string(m[1]) != strconv.Itoa(n.line) { // the step was not for showing
			v.next = nil
		}
		n.line = 0
		return v.named(line)
	case n.fails:
		n.fails = false
		return line
	}
	var out []byte
	if len(n.kept) > 0 && n.kept[0].at == n.at {
		out = n.kept[0].in(line)
		n.kept = n.kept[1:]
	}
	if n.at++; n.at == n.full {
		v.next = nil
	}
	return out
}
