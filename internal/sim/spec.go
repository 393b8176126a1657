package sim

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/testcoord"
)

// Spec is all that a simulation depends on, beside the program itself, and how it is shown. It is plain data, so that it can be sent to a guest.
type Spec struct {
	// File is the suite, and Sources what is in it and in the files that it includes, by path.
	File    string
	Sources map[string][]byte
	// Params are the values that are set from outside.
	Params map[string]string
	// Seed is what all chance is made of.
	Seed uint64
	// Profile is how far away peers are: one of Profiles; empty is DefaultProfile.
	Profile string
	// Gossip is the profile of membership where the suite names none.
	Gossip string
	// KeepGoing, Timeout, StepTimeout and KeepEvents are those of testcoord.Options.
	KeepGoing            bool
	Timeout, StepTimeout time.Duration
	KeepEvents           int
	// LogLevel is that of the peers' logs; empty is info.
	LogLevel string

	// Verbose and Color are those of testcoord.Options, and Observer is told what happens, as it happens; nil is nobody. What a guest does
	// depends on none of them: see Send.
	Verbose, Color bool
	Observer       testcoord.Observer `json:"-"`
	// Screen is that of testcoord.Options; nil writes to the text that Run is given. A guest has its own.
	Screen testcoord.Screen `json:"-"`
}

// Outcome is what is known of a simulation.
type Outcome struct {
	Result *testcoord.Result
	Log    invariant.Log
	// Missed counts events that are not in Log.
	Missed uint64
	// Logs are the ends of what each peer has logged, by name.
	Logs map[string]string
}

// read gives a file of the spec, and no other. In a guest, where folders have no names, a path may leave the folder of the suite and come back, as
// "../suites/base.lab" does where the suite lies in suites: Sources has it as "base.lab". Whoever has read the suite outside has found all that it includes.
// So a path that is not there comes back, and since Sources has the shortest paths, it is the longest one that is there.
func (s *Spec) read(name string) ([]byte, error) {
	for file, ok := clean(name), true; ok; file, ok = withoutTurn(file) {
		if data, found := s.Sources[file]; found {
			return data, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// withoutTurn is a path that goes up and down without its last step up and its first one down: "../b" of "../../a/b".
func withoutTurn(file string) (string, bool) {
	down := file
	for strings.HasPrefix(down, "../") {
		down = down[len("../"):]
	}
	up := strings.TrimSuffix(file, down)
	_, down, ok := strings.Cut(down, "/")
	if up == "" || !ok {
		return "", false
	}
	return strings.TrimPrefix(up, "../") + down, true
}

// Suite is what is in File.
func (s *Spec) Suite() []byte { return s.Sources[clean(s.File)] }

// With is a spec of another suite in the place of this one, which includes the same files.
func (s *Spec) With(file string, src []byte) *Spec {
	other := *s
	other.Sources = maps.Clone(s.Sources)
	delete(other.Sources, clean(s.File))
	other.File = file
	other.Sources[clean(file)] = src
	return &other
}

// clean is a path as Sources has it.
func clean(name string) string { return path.Clean(filepath.ToSlash(name)) }

// Load reads a suite and all that it includes, which read gives. The suite must have been parsed without errors.
func Load(suite *testcoord.Suite, read func(string) ([]byte, error)) (map[string][]byte, error) {
	sources := map[string][]byte{}
	for _, file := range slices.Concat([]string{suite.File}, suite.Files) {
		data, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("read for the simulation: %w", err)
		}
		sources[clean(file)] = data
	}
	return sources, nil
}
