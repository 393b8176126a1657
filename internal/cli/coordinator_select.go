package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/testcoord"
)

// selection says which suites are run, of the files and folders that were named.
type selection struct {
	filter string   // a regular expression for names and files; empty for all
	tags   []string // all of these; one with a ! before it must not be there
}

// suiteFiles are the files that were named, and of a folder those that are suites, by name. A folder within a folder is not
// looked into: it may belong to another program.
func suiteFiles(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("suite: %w", err)}
		}
		if !info.IsDir() {
			out = append(out, path)
			continue
		}
		found, err := suitesIn(path)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func suitesIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("suites: %w", err)
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".lab", ".cmd"}, filepath.Ext(e.Name())) {
			out = append(out, filepath.Join(folder, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, exit{exitUsage, fmt.Errorf("%s: no file in it ends in .lab or .cmd", folder)}
	}
	return out, nil
}

// pick are the suites that the selection names.
func (s selection) pick(suites []*testcoord.Suite) ([]*testcoord.Suite, error) {
	name, err := regexp.Compile(s.filter)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--filter: %w", err)}
	}
	var out []*testcoord.Suite
	for _, suite := range suites {
		if (name.MatchString(suite.Name) || name.MatchString(suite.File)) && s.tagged(suite) {
			out = append(out, suite)
		}
	}
	if len(out) == 0 {
		are := "are"
		if len(suites) == 1 {
			are = "is"
		}
		return nil, exit{exitUsage, fmt.Errorf("no suite is meant by %s; there %s %s", s, are, strings.Join(described(suites), ", "))}
	}
	return out, nil
}

// String is the selection as it was asked for.
func (s selection) String() string {
	var asked []string
	if s.filter != "" {
		asked = append(asked, fmt.Sprintf("--filter %q", s.filter))
	}
	for _, tag := range s.tags {
		asked = append(asked, fmt.Sprintf("--tag %q", tag))
	}
	return strings.Join(asked, " and ")
}

// counted is "1 peer" or "2 peers".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (s selection) tagged(suite *testcoord.Suite) bool {
	for _, tag := range s.tags {
		name, not := strings.CutPrefix(tag, "!")
		if slices.Contains(suite.Tags, name) == not {
			return false
		}
	}
	return true
}

func described(suites []*testcoord.Suite) []string {
	var out []string
	for _, s := range suites {
		text := s.Name
		if len(s.Tags) > 0 {
			text += " (" + strings.Join(s.Tags, " ") + ")"
		}
		out = append(out, text)
	}
	return out
}

// stamps are when files were changed last, by name; those that are gone have none.
func stamps(files []string) (map[string]int64, error) {
	out := map[string]int64{}
	for _, file := range files {
		info, err := os.Stat(file)
		switch {
		case err == nil:
			out[file] = info.ModTime().UnixNano() ^ info.Size()<<48
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return out, nil
}
