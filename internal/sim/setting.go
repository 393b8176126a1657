package sim

import (
	"cmp"
	"encoding/json"
	"io"
	"path"
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
	sent, names := spec.inGuest()
	in, err := json.Marshal(sent)
	if err != nil {
		return nil, nil, err
	}
	return in, &Reader{screen: testcoord.NewScreen(text, spec.Color), to: spec.Observer, view: view{spec, names}}, nil
}

// inGuest is the spec in the setting of guests, and the user's names of its files.
func (s *Spec) inGuest() (sent *Spec, names map[string]string) {
	in := *s
	in.Verbose, in.Color = false, false
	in.Sources, names = map[string][]byte{}, map[string]string{}
	for file, src := range s.Sources {
		if absolutely.Match(src) { // then the run depends on where it lies, and the guest must find it there
			in.Sources = s.Sources
			return &in, nil
		}
		name := s.nameInGuest(file)
		in.Sources[name], names[name] = src, file
	}
	in.File = suiteInGuest
	names[suiteInGuest] = s.File
	return &in, names
}

// absolutely matches a line that includes a file by a path which is not relative.
var absolutely = regexp.MustCompile(`(?m)^\s*(\[.*\]\s*)?include\s+["']?(/|[A-Za-z]:)`)

// nameInGuest is the path of a file as the guest finds it from the suite.
func (s *Spec) nameInGuest(file string) string {
	if clean(file) == clean(s.File) {
		return suiteInGuest
	}
	from, err := filepath.Rel(path.Dir(clean(s.File)), file)
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
	names map[string]string // of files, by name in the guest; nil where the guest has those of the user
}

// step is a record with the user's name of its file, and with the output of commands that they want to see.
func (v view) step(s testcoord.StepRecord) testcoord.StepRecord {
	s.File = cmp.Or(v.names[s.File], s.File)
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
