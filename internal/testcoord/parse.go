package testcoord

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"peerlab.example/peerlab/internal/command"
)

// Limits of a suite, so that a mistake such as p[1..1000000000] is an error and not a full memory.
const (
	maxPeers  = 1000
	maxSteps  = 10_000
	maxSource = 1 << 20
	maxLine   = 8 << 10
	maxErrors = 50
)

// Parse reads a suite and checks every line of it; commands are checked against the table.
// The error is Errors, with all mistakes of the file.
func Parse(file string, src []byte, table *command.Table) (*Suite, error) {
	base := filepath.Base(file)
	p := &parser{
		file: file, table: table, words: words(), defined: map[string]int{}, named: map[string]bool{},
		suite: &Suite{File: file, Name: strings.TrimSuffix(base, filepath.Ext(base))},
	}
	if len(src) > maxSource {
		return nil, Errors{{File: file, Line: 1, Col: 1, Msg: fmt.Sprintf("a suite has at most %d bytes, this one has %d", maxSource, len(src))}}
	}
	text := strings.TrimPrefix(string(src), "\ufeff")
	for i, l := range strings.Split(text, "\n") {
		p.parseLine(line{no: i + 1, src: strings.TrimSuffix(l, "\r")})
	}
	p.finish()
	if len(p.errs) > 0 {
		slices.SortStableFunc(p.errs, func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
		})
		return nil, p.errs
	}
	return p.suite, nil
}

// line is one line of the file, or what is left of it after its first words.
type line struct {
	no    int
	src   string
	whole []command.Word // all its words
	words []command.Word // those that are left
}

// after is the line without its first n words.
func (l line) after(n int) line {
	l.words = l.words[min(n, len(l.words)):]
	return l
}

// end is the column after the last word.
func (l line) end() int { return len(strings.TrimRight(l.src, " \t")) + 1 }

// col is the column of word i, or the end of the line when there is none.
func (l line) col(i int) int {
	if i < len(l.words) {
		return l.words[i].Col
	}
	return l.end()
}

// is reports whether word i is that bare word.
func (l line) is(i int, text string) bool {
	return i < len(l.words) && l.words[i].Text == text && !l.words[i].Quoted
}

// text is the words as one text, with one blank between them.
func (l line) text() string {
	parts := make([]string, len(l.words))
	for i, w := range l.words {
		parts[i] = w.Text
	}
	return strings.Join(parts, " ")
}

// command is the words as a line that splits into the same words.
func (l line) command() string {
	parts := make([]string, len(l.words))
	for i, w := range l.words {
		parts[i] = quote(w)
	}
	return strings.Join(parts, " ")
}

// quote writes a word so that it is read back as what it is: a flag stays one, which a quoted word is not.
func quote(w command.Word) string {
	if w.Quoted || !strings.HasPrefix(w.Text, "-") {
		return command.Quote(w.Text)
	}
	name, value, ok := strings.Cut(w.Text, "=")
	if !ok {
		return name
	}
	return name + "=" + command.Quote(value)
}

type parser struct {
	file     string
	table    *command.Table
	words    map[string]word
	suite    *Suite
	errs     Errors
	named    map[string]bool // the peers of the suite
	full     bool            // there were too many steps
	declared bool            // there is a "peers" line
	defined  map[string]int  // header word -> its line
	all      []line          // lines that say "all"
}

// word is a first word of a line that is not the name of a peer.
type word struct {
	// parse reads a line that begins with the word; nil when the word belongs to a later version.
	parse func(p *parser, l line)
	// header words stand before the first step.
	header bool
}

// words are the reserved first words. A kind of line is added here and nowhere else.
func words() map[string]word {
	w := map[string]word{
		"suite":     {parse: (*parser).suiteName, header: true},
		"tags":      {parse: (*parser).tags, header: true},
		"timeout":   {parse: (*parser).timeout, header: true},
		"profile":   {parse: (*parser).profile, header: true},
		"peers":     {parse: (*parser).peers, header: true},
		"section":   {parse: (*parser).section},
		"expect":    {parse: (*parser).expect},
		"lab":       {parse: (*parser).lab},
		"invariant": {parse: (*parser).invariant},
	}
	for _, later := range []string{
		"group", "wait", "parallel", "repeat", "cleanup", "end", "barrier", "include", "param", "measure",
	} {
		w[later] = word{}
	}
	return w
}

func (p *parser) parseLine(l line) {
	if len(p.errs) >= maxErrors || p.full {
		return
	}
	var err error
	if len(l.src) > maxLine {
		p.fail(line{no: l.no}, 1, "", "a line has at most %d bytes, this one has %d", maxLine, len(l.src))
		return
	}
	if l.words, err = command.SplitScript(l.src); err != nil {
		col := 1
		var syntax *command.SyntaxError
		if errors.As(err, &syntax) {
			col = syntax.Col
		}
		p.fail(l, col, "", "%s", err)
		return
	}
	l.whole = l.words
	if len(l.words) == 0 || p.later(l) {
		return
	}
	first := l.words[0]
	w, reserved := p.words[first.Text]
	switch {
	case first.Quoted || !reserved:
		p.command(l)
	case w.parse == nil:
		p.notYet(l, first.Col, fmt.Sprintf("%q", first.Text))
	case w.header && len(p.suite.Steps) > 0:
		p.fail(l, first.Col, "", "%q belongs before the first step", first.Text)
	default:
		w.parse(p, l)
	}
}

var variable = regexp.MustCompile(`\$[A-Za-z_{]`)

// later reports the constructs of the language that this version does not have, wherever they stand.
func (p *parser) later(l line) bool {
	first, last := l.words[0], l.words[len(l.words)-1]
	switch {
	case first.Quoted:
	case strings.HasPrefix(first.Text, "["):
		p.notYet(l, first.Col, "a condition such as [sim]")
		return true
	case l.is(1, "=") || strings.HasSuffix(first.Text, "=") && len(first.Text) > 1:
		p.notYet(l, first.Col, "a capture (NAME = …)")
		return true
	}
	for _, w := range l.words {
		if variable.MatchString(w.Text) {
			p.notYet(l, w.Col, "a variable ($NAME)")
			return true
		}
	}
	if len(l.words) > 1 && last.Text == "&" && !last.Quoted {
		p.notYet(l, last.Col, "a command in the background (&)")
		return true
	}
	return false
}

func (p *parser) notYet(l line, col int, what string) {
	p.fail(l, col, "", "%s is not part of this version", what)
}

func (p *parser) fail(l line, col int, hint, format string, args ...any) {
	p.errs = append(p.errs, &Error{
		File: p.file, Line: l.no, Col: min(col, len(l.src)+1), Msg: fmt.Sprintf(format, args...), Hint: hint, Source: l.src,
	})
}

// step adds a step for the line.
func (p *parser) step(l line, a action) {
	if len(p.suite.Steps) == maxSteps {
		p.fail(l, l.col(0), "", "a suite has at most %d steps", maxSteps)
		p.full = true
		return
	}
	p.suite.Steps = append(p.suite.Steps, &Step{Line: l.no, Text: command.Clean(strings.TrimSpace(l.source())), act: a})
}

// source is the line as it was typed, without its comment.
func (l line) source() string {
	src, words := l.src, l.whole
	from := words[len(words)-1].Col
	// The last word ends where the line begins to have all its words.
	n := sort.Search(len(src)-from, func(i int) bool {
		end := from + i
		for end < len(src) && !utf8.RuneStart(src[end]) {
			end--
		}
		again, err := command.SplitScript(src[:end])
		return err == nil && slices.Equal(again, words)
	})
	return src[:from+n]
}

func (p *parser) finish() {
	if len(p.suite.Peers) == 0 {
		for _, l := range p.all {
			p.fail(l, l.col(0), "", "all, but the suite names no peer")
		}
	}
	if len(p.errs) == 0 && !slices.ContainsFunc(p.suite.Steps, func(s *Step) bool { _, heading := s.act.(section); return !heading }) {
		p.fail(line{no: 1}, 1, "", "the suite has no steps")
	}
}
