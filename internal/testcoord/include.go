package testcoord

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Limits of files that include others.
const (
	maxIncluded = 100 // files in all, each time they are included
	maxDeep     = 8   // files in files
)

// place is a line of a file.
type place struct {
	file string
	line int
}

func (at place) String() string { return fmt.Sprintf("%s:%d", at.file, at.line) }

// include reads "include FILE". The path is relative to the file that has the line.
func (p *parser) include(l line) {
	if len(l.words) != 2 {
		p.fail(l, l.col(2), "", `include reads one file: include "common.lab"`)
		return
	}
	path := filepath.FromSlash(l.words[1].Text)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.file), path)
	}
	chain := []string{p.file}
	for _, at := range p.from {
		chain = append(chain, at.file)
	}
	p.included++
	switch {
	case p.opt.Read == nil:
		p.fail(l, l.col(0), "", "this suite cannot include others")
		return
	case slices.ContainsFunc(chain, func(file string) bool { return filepath.Clean(file) == filepath.Clean(path) }):
		p.fail(l, l.col(1), "", "%s includes itself", path)
		return
	case len(p.from) == maxDeep:
		p.fail(l, l.col(1), "", "files include each other more than %d deep", maxDeep)
		return
	case p.included > maxIncluded:
		p.fail(l, l.col(1), "", "a suite includes at most %d files", maxIncluded)
		p.full = true
		return
	}
	src, err := p.opt.Read(path)
	if err != nil {
		p.fail(l, l.col(1), "", "%s", strings.TrimPrefix(err.Error(), "open "))
		return
	}
	p.suite.Files = append(p.suite.Files, path)
	outer := p.file
	p.from = append(p.from, place{outer, l.no})
	p.file = path
	p.readFile(src)
	p.file, p.from = outer, p.from[:len(p.from)-1]
}

// foreign reports whether a line of the header stands in an included file, where it says nothing: it is for the time when
// that file is run by itself.
func (p *parser) foreign() bool { return len(p.from) > 0 }
