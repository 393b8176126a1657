package testcoord

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/network"
)

// Limits of a suite, so that a mistake such as p[1..1000000000] is an error and not a full memory.
const (
	maxPeers  = 1000
	maxSteps  = 10_000
	maxSource = 1 << 20
	maxLine   = 8 << 10
	maxErrors = 50
)

// ParseOptions are what a suite is checked against.
type ParseOptions struct {
	// Table has the commands of a peer.
	Table *command.Table
	// Params are values for the suite's params, by name.
	Params map[string]string
	// Read reads a file that is included; nil allows none.
	Read func(path string) ([]byte, error)
	// Runner is one of Runners; what it cannot do is an error then, unless the line is conditional. Empty checks nothing of
	// the kind.
	Runner string
	// Without is what the runner can do, but not in this run.
	Without []Ability
	// Rule says why the runner cannot make a rule of the network in this run; nil where all can be made. It is asked for the rules
	// of lines that are not conditional.
	Rule func(network.Rule) error
}

// Parse reads a suite that includes no other, and checks every line of it; commands are checked against the table.
// The error is Errors, with all mistakes of the file.
func Parse(file string, src []byte, table *command.Table) (*Suite, error) {
	return ParseWith(file, src, ParseOptions{Table: table})
}

// ParseWith reads a suite, with all that it includes. The error is Errors, with all mistakes of all files.
func ParseWith(file string, src []byte, opt ParseOptions) (*Suite, error) {
	base := filepath.Base(file)
	p := &parser{
		file: file, table: opt.Table, opt: opt, words: words(), defined: map[string]int{}, named: map[string]bool{}, listed: map[string]bool{},
		groups: map[string][]string{}, vars: map[string]*variable{}, product: 1,
		suite: &Suite{File: file, Name: strings.TrimSuffix(base, filepath.Ext(base))},
	}
	p.given()
	p.readFile(src)
	p.finish()
	if len(p.errs) > 0 {
		slices.SortStableFunc(p.errs, func(a, b *Error) int {
			return cmp.Or(slices.Compare(a.path, b.path), cmp.Compare(a.Col, b.Col))
		})
		return nil, p.errs
	}
	p.declared = true
	p.suite.grammar = p
	return p.suite, nil
}

type parser struct {
	file     string // that is read
	table    *command.Table
	opt      ParseOptions
	words    map[string]word
	suite    *Suite
	errs     Errors
	named    map[string]bool     // the peers of the suite
	listed   map[string]bool     // those that a "peers" line declares
	groups   map[string][]string // groups of peers
	vars     map[string]*variable
	full     bool           // there were too many steps
	declared bool           // there is a "peers" line
	defined  map[string]int // header word -> its line
	later    []later        // what can be judged when all is read
	waits    Errors         // for lines that say "wait", should there be no step in the background
	behind   bool           // there is one
	stepped  bool           // there was a step
	said     bool           // a step has said who
	count    int            // of steps
	blocks   []*block       // those that are open, the innermost last
	floor    int            // how many of them were open where the file begins
	product  int            // how often a line in the innermost block is run
	mods     mods           // of the line that is read
	from     []place        // the lines that led to the file that is read
	included int            // how many files were
	bytes    int            // of all files
	detached bool           // steps are not put into the blocks around
	binding  bool           // the run goes on: the line was checked before
}

// mods are what stands around a step on its line.
type mods struct {
	conds      []condition
	background bool
}

// word is a first word of a line that is not the name of a peer.
type word struct {
	// parse reads a line that begins with the word.
	parse func(p *parser, l line)
	// header words stand before the first step.
	header bool
	// step words begin a step: they may have conditions, and variables of the run.
	step bool
}

// words are the reserved first words. A kind of line is added here and nowhere else.
func words() map[string]word {
	return map[string]word{
		"suite":     {parse: (*parser).suiteName, header: true},
		"tags":      {parse: (*parser).tags, header: true},
		"timeout":   {parse: (*parser).timeout, header: true},
		"profile":   {parse: (*parser).profile, header: true},
		"seed":      {parse: (*parser).seed, header: true},
		"peers":     {parse: (*parser).peers, header: true},
		"param":     {parse: (*parser).param, header: true},
		"group":     {parse: (*parser).group},
		"include":   {parse: (*parser).include},
		"section":   {parse: (*parser).section},
		"invariant": {parse: (*parser).invariant},
		"measure":   {parse: (*parser).measure},
		"expect":    {parse: (*parser).expect, step: true},
		"lab":       {parse: (*parser).lab, step: true},
		"wait":      {parse: (*parser).wait, step: true},
		"barrier":   {parse: (*parser).barrier, step: true},
		"repeat":    {parse: (*parser).repeat, step: true},
		"parallel":  {parse: (*parser).parallel, step: true},
		"branch":    {parse: (*parser).branch, step: true},
		"cleanup":   {parse: (*parser).cleanup},
		"end":       {parse: (*parser).end},
	}
}

// readFile reads the lines of a file. Blocks do not reach beyond it.
func (p *parser) readFile(src []byte) {
	if p.bytes += len(src); p.bytes > maxSource {
		p.fail(line{no: 1}, 1, "", "a suite has at most %d bytes, this one has %d", maxSource, p.bytes)
		return
	}
	if what := notText(src); what != "" {
		p.fail(line{no: 1}, 1, "", "this is %s; a suite is a text in UTF-8", what)
		return
	}
	floor, stepped := p.floor, p.stepped
	p.floor, p.stepped = len(p.blocks), false // each file has its own header
	text := strings.TrimPrefix(string(src), "\ufeff")
	for i, l := range strings.Split(text, "\n") {
		l := line{no: i + 1, src: strings.TrimSuffix(l, "\r")}
		errs, depth := len(p.errs), len(p.blocks)
		if p.readLine(l); len(p.errs) > errs {
			p.mend(l, depth)
		}
	}
	for len(p.blocks) > p.floor {
		p.unclosed()
	}
	p.floor, p.stepped = floor, stepped || p.stepped
}

// notText says what a file is that is no text at all, or "": one message for it is enough.
func notText(src []byte) string {
	switch {
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")):
		return "text in UTF-16"
	case bytes.Count(src, []byte{0}) > maxErrors:
		return "no text, but a file of another kind"
	}
	return ""
}

func (p *parser) readLine(l line) {
	switch {
	case p.full || strings.TrimSpace(l.src) == "":
		return
	case len(p.errs) >= maxErrors:
		p.full = true
		p.fail(line{no: l.no}, 1, "", "there are %d mistakes before this line; what follows is not looked at", len(p.errs))
		return
	}
	var err error
	if len(l.src) > maxLine {
		p.fail(line{no: l.no}, 1, "", "a line has at most %d bytes, this one has %d", maxLine, len(l.src))
		return
	}
	if i := strings.IndexByte(l.src, '\r'); i >= 0 {
		p.fail(l, i+1, "", "a carriage return within the line: lines end with a line feed, or with both")
		return
	}
	if l.words, err = command.SplitScript(l.src); err != nil {
		p.lexical(l, err)
		return
	}
	if len(l.words) == 0 {
		return
	}
	if l.whole = l.words; strings.Contains(l.source(), "$") {
		p.withVariables(l)
		return
	}
	p.dispatch(l)
}

// lexical reports an error of the lexer.
func (p *parser) lexical(l line, err error) {
	col := 1
	var syntax *command.SyntaxError
	var usage *command.UsageError
	switch {
	case errors.As(err, &syntax):
		col = syntax.Col
	case errors.As(err, &usage):
		col = usage.Col
	}
	p.fail(l, col, "", "%s", err)
}

// dispatch reads a line by its first words.
func (p *parser) dispatch(l line) {
	p.mods = mods{}
	whole := l
	l, ok := p.conditions(l)
	if !ok {
		return
	}
	if n := len(l.words) - 1; n > 0 && l.is(n, "&") {
		p.mods.background = true
		l.words = l.words[:n]
	}
	first := l.words[0]
	w, reserved := p.words[first.Text]
	reserved = reserved && !first.Quoted
	switch {
	case len(p.mods.conds) > 0 && reserved && !w.step:
		p.fail(l, whole.col(0), "", "a condition stands before a step, and %q is none", first.Text)
	case p.mods.background && reserved && first.Text != "expect":
		p.fail(l, whole.col(len(whole.words)-1), "", "commands and expectations can run in the background, %q cannot", first.Text)
	case !reserved && p.assigns(l):
		p.assign(l)
	case !reserved:
		p.command(l)
	case w.header && p.stepped:
		p.fail(l, first.Col, "", "%q belongs before the first step", first.Text)
	default:
		w.parse(p, l)
	}
}

// certainly reports a mistake that no value of a variable would mend.
func (p *parser) certainly(l line, col int, format string, args ...any) {
	p.fail(l, col, "", format, args...)
	p.errs[len(p.errs)-1].certain = true
}

func (p *parser) fail(l line, col int, hint, format string, args ...any) {
	p.errs = append(p.errs, p.mistake(l, col, hint, format, args...))
}

// mistake is an error that is yet to be reported.
func (p *parser) mistake(l line, col int, hint, format string, args ...any) *Error {
	e := &Error{
		File: p.file, Line: l.no, Col: min(col, len(l.src)+1), Msg: fmt.Sprintf(format, args...), Hint: hint, Source: l.src,
	}
	for i, from := range p.from {
		e.path = append(e.path, from.line)
		if i == len(p.from)-1 {
			e.Via = from.String()
		}
	}
	e.path = append(e.path, l.no)
	return e
}

// step adds a step for the line.
func (p *parser) step(l line, a action) {
	s := &Step{
		Line: l.no, Text: command.Clean(strings.TrimSpace(l.source())), act: a,
		conds: p.mods.conds, background: p.mods.background,
	}
	if len(p.from) > 0 {
		s.File = p.file
	}
	p.place(l, s)
}

// place puts a step where it belongs.
func (p *parser) place(l line, s *Step) {
	if p.count++; p.count > maxSteps {
		p.fail(l, l.col(0), "", "a suite has at most %d steps", maxSteps)
		p.full = true
		return
	}
	p.stepped, p.behind = true, p.behind || s.background
	if n := len(p.blocks); n > 0 && !p.detached {
		body := &p.blocks[n-1].step.Body
		*body = append(*body, s)
		return
	}
	p.suite.Steps = append(p.suite.Steps, s)
}

// later is a mistake in a line if that is wrong when all lines are read.
type later struct {
	wrong func() bool
	err   *Error
}

func (p *parser) finish() {
	for _, l := range p.later {
		if l.wrong() {
			p.errs = append(p.errs, l.err)
		}
	}
	if !p.behind {
		p.errs = append(p.errs, p.waits...)
	}
	p.unknownParams()
	if len(p.errs) == 0 && !slices.ContainsFunc(p.suite.Steps, func(s *Step) bool { _, heading := s.act.(section); return !heading }) {
		p.fail(line{no: 1}, 1, "", "the suite has no steps")
	}
}
