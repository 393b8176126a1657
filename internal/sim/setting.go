package sim

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"peerlab.example/peerlab/internal/testcoord"
)

// A guest is run in one setting, whoever looks. A line more that it writes is memory that it takes, memory is collected, and collecting
// looks at the clock: so a run that is shown in colour would be another than one that is not. Therefore a guest always tells all, as data, and
// what the user wants of it is shown outside. For the same reason files have names there that do not depend on where they lie.

// suiteInGuest is what a guest calls the file of any suite. A suite that has no name is called after its file, so it is one that
// nobody gives to a suite.
const suiteInGuest = nameInGuest + ".lab"

const nameInGuest = "suite of a simulation"

// Send gives what a guest is to read of a spec, and the reader of what it writes then. text gets what a person watches, as it happens.
func Send(spec *Spec, text io.Writer) ([]byte, *Reader, error) {
	sent, moved := spec.inGuest()
	in, err := json.Marshal(sent)
	if err != nil {
		return nil, nil, err
	}
	return in, &Reader{screen: testcoord.NewScreen(text, spec.Color), to: spec.Observer, view: view{spec, moved}}, nil
}

// inGuest is the spec in the setting of guests, and whether its files have other names there than the user's.
func (s *Spec) inGuest() (sent *Spec, moved bool) {
	in := *s
	in.Verbose, in.Color = false, false
	if s.fixed() { // then the run depends on where it lies, and the guest must find it there
		return &in, false
	}
	in.Sources = map[string][]byte{}
	here := workingFolder()
	for file, src := range s.Sources {
		in.Sources[nameFrom(whole(here, s.File), whole(here, file))] = src
	}
	in.File = suiteInGuest
	return &in, true
}

var (
	// absolutely matches a line that includes a file by a path which is not relative.
	absolutely = regexp.MustCompile(`(?m)^\s*(\[.*\]\s*)?include\s+["']?(/|[A-Za-z]:)`)
	// perhaps matches one that does so if its variable has such a value, and abroad a line that gives a variable one.
	perhaps = regexp.MustCompile(`(?m)^\s*(\[.*\]\s*)?include\s+["']?\$`)
	abroad  = regexp.MustCompile(`(?m)^\s*param\s+\w+\s*=\s*["']?(/|[A-Za-z]:)`)
)

// fixed reports whether a file is included by an absolute path.
func (s *Spec) fixed() bool {
	var open, away bool
	for _, value := range s.Params {
		away = away || filepath.IsAbs(value)
	}
	for _, src := range s.Sources {
		if absolutely.Match(src) {
			return true
		}
		open, away = open || perhaps.Match(src), away || abroad.Match(src)
	}
	return open && away
}

// workingFolder is where relative paths begin; empty if nobody knows. It has no symbolic links, beside which ".." is not what a path says.
func workingFolder() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return ""
	}
	return dir
}

// whole is a path from a folder, unless it is absolute.
func whole(here, file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(here, file)
}

// nameFrom is the shortest path of a file from the folder of the suite, so that it has one name from wherever the suite is run. A guest may ask for it by a
// longer one: see Spec.read.
func nameFrom(suite, file string) string {
	if file == suite {
		return suiteInGuest
	}
	from, err := filepath.Rel(filepath.Dir(suite), file)
	if err != nil {
		return clean(file)
	}
	return clean(from)
}

// nameOf is what the user's suite is called when it does not say so.
func nameOf(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// view is the way back: what a guest tells, as the user wants it.
type view struct {
	spec  *Spec
	moved bool // its files are not called as the user calls them
}

// step is a record with the user's name of its file, and with the output of commands that they want to see.
func (v view) step(s testcoord.StepRecord) testcoord.StepRecord {
	if v.moved && s.File != "" {
		s.File = filepath.Join(filepath.Dir(v.spec.File), s.File)
	}
	return s.Shown(v.spec.Verbose)
}

func (v view) result(r *testcoord.Result) {
	if r == nil {
		return
	}
	for i, s := range r.Steps {
		r.Steps[i] = v.step(s)
	}
	r.File = v.spec.File
	if r.Suite == nameInGuest {
		r.Suite = nameOf(r.File)
	}
}

// problem puts the user's name of the suite into an error.
func (v view) problem(text string) string {
	return strings.ReplaceAll(text, suiteInGuest, v.spec.File)
}
