package testcoord

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"peerlab.example/peerlab/internal/command"
)

// Param is a value of a suite that may be set from outside.
type Param struct {
	Name, Value string
	Line        int
}

// Variables that a suite has without setting them. The first two have a value for each peer.
const (
	varSelf   = "SELF"   // the name of the peer that runs the line, or is judged by it
	varIndex  = "I"      // its place among all peers of the suite, from 1
	varSeed   = "SEED"   // what chance is made of
	varRunner = "RUNNER" // the name of the runner
)

// perPeer finds a variable that has a value for each peer.
var perPeer = regexp.MustCompile(`\$(SELF|I)\b|\$\{(SELF|I)\}`)

// variable is what the parser knows of a variable.
type variable struct {
	// fixed is set when value is what it has in the whole run.
	fixed bool
	value string
	given bool // it cannot be set by a line
}

func (p *parser) given() {
	for _, name := range []string{varSelf, varIndex, varSeed, varRunner} {
		p.vars[name] = &variable{given: true}
	}
}

// settable checks the name of a variable that a line sets.
func (p *parser) settable(l line, w command.Word) bool {
	v := p.vars[w.Text]
	switch {
	case !command.IsName(w.Text):
		p.fail(l, w.Col, "", "%q is not the name of a variable: letters, digits and _, and no digit first", w.Text)
	case v != nil && v.given:
		p.fail(l, w.Col, "", "$%s is given, and cannot be set", w.Text)
	case v != nil && v.fixed:
		p.fail(l, w.Col, "", "$%s is a param, which has one value in the whole run", w.Text)
	default:
		return true
	}
	return false
}

// unknown is the error of a variable that no line before has set.
func (p *parser) unknown(name string) error {
	if near := command.Nearest(name, slices.Sorted(maps.Keys(p.vars))); near != "" {
		return fmt.Errorf("unknown variable $%s; did you mean $%s?", name, near)
	}
	return fmt.Errorf("unknown variable $%s: no line before this sets it, and '$%s' is text", name, name)
}

// param reads "param NAME = VALUE".
func (p *parser) param(l line) {
	if len(l.words) != 4 || !l.is(2, "=") {
		p.fail(l, l.col(min(len(l.words), 4)), "", "a param has a name and one value: param n = 5")
		return
	}
	name := l.words[1]
	if v := p.vars[name.Text]; p.foreign() && v != nil && v.fixed {
		return // the suite that includes the file has said it
	}
	if !p.settable(l, name) {
		return
	}
	value := l.words[3].Text
	if set, ok := p.opt.Params[name.Text]; ok {
		value = set
	}
	p.vars[name.Text] = &variable{fixed: true, value: value}
	p.suite.Params = append(p.suite.Params, Param{Name: name.Text, Value: value, Line: l.no})
}

// unknownParams reports values for params that the suite does not have.
func (p *parser) unknownParams() {
	var names []string
	for _, param := range p.suite.Params {
		names = append(names, param.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.opt.Params)) {
		if slices.Contains(names, name) {
			continue
		}
		has := "it has none"
		if len(names) > 0 {
			has = "it has " + list(names)
		}
		p.fail(line{no: 1}, 1, command.Nearest(name, names), "the suite has no param %q: %s", name, has)
	}
}

// maxValue is the longest value of a variable, in bytes.
const maxValue = 64 << 10

// store is the variables of a run. It may be used from several goroutines.
type store struct {
	mu     sync.Mutex
	values map[string]string // guarded by mu
}

// scope is the variables that a line sees: those of the blocks around it, and then those of the run.
type scope struct {
	outer *scope // nil at the end
	name  string
	value string
}

func (s *scope) with(name, value string) *scope { return &scope{outer: s, name: name, value: value} }

// lookup returns the value of a variable for a line.
func (f *flow) lookup(name string) (string, error) {
	for s := f.scope; s != nil; s = s.outer {
		if s.name == name {
			return s.value, nil
		}
	}
	f.c.vars.mu.Lock()
	defer f.c.vars.mu.Unlock()
	if v, ok := f.c.vars.values[name]; ok {
		return v, nil
	}
	return "", fmt.Errorf("$%s has no value: the line that sets it was not run", name)
}

// set gives a variable of the run a value.
func (f *flow) set(name, value string) error {
	if len(value) > maxValue {
		return fmt.Errorf("the value of $%s is longer than %d bytes", name, maxValue)
	}
	f.c.vars.mu.Lock()
	defer f.c.vars.mu.Unlock()
	f.c.vars.values[name] = value
	return nil
}

// setGiven sets what every suite has.
func (c *Coordinator) setGiven() {
	c.vars.values = map[string]string{
		varSeed:   strconv.FormatUint(c.opt.Seed, 10),
		varRunner: c.opt.RunnerName,
	}
	for _, p := range c.suite.Params {
		c.vars.values[p.Name] = p.Value
	}
}

// plain is the result of a command as the value of a variable: text without its quotes, all else as JSON; without a result, what
// the command wrote.
func plain(result, output string) string {
	var text string
	if json.Unmarshal([]byte(result), &text) == nil {
		return text
	}
	return cmp.Or(result, strings.TrimRight(output, "\r\n"))
}
