package testcoord

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
)

var (
	predicates = []string{"members", "event", "output", "json", "roster", "metric"}
	states     = []string{string(app.Alive), string(app.Suspect), string(app.Left), string(app.Lost)}
	operators  = []string{"=", "!=", ">=", "<=", ">", "<"}
	eventName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

// predicate reads a PREDICATE; it reports a mistake and returns nil.
func (p *parser) predicate(l line) predicate {
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "a predicate is missing: %s …", strings.Join(predicates, ", "))
		return nil
	}
	switch l.words[0].Text {
	case "members":
		return p.membersPredicate(l.after(1))
	case "event":
		return p.eventPredicate(l.after(1))
	case "output":
		return p.outputPredicate(l.after(1))
	case "json":
		return p.jsonPredicate(l.after(1))
	case "roster":
		return p.rosterPredicate(l.after(1))
	case "metric":
		return p.metricPredicate(l.after(1))
	}
	w := l.words[0]
	p.fail(l, w.Col, command.Nearest(w.Text, predicates), "unknown predicate %q: one of %s", w.Text, strings.Join(predicates, ", "))
	return nil
}

func (p *parser) membersPredicate(l line) predicate {
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "members what? members alive = 3, or members include alice")
		return nil
	}
	w := l.words[0]
	switch {
	case w.Text == "include" || w.Text == "exclude":
		return p.includePredicate(l)
	case !slices.Contains(states, w.Text) && strings.ContainsAny(w.Text, "=<>!"):
		p.fail(l, w.Col, "", "write a blank on each side of the operator: members alive = 3")
		return nil
	case !slices.Contains(states, w.Text):
		all := append(slices.Clone(states), "include", "exclude")
		p.fail(l, w.Col, command.Nearest(w.Text, all), "unknown state %q: one of %s", w.Text, strings.Join(all, ", "))
		return nil
	}
	c, ok := p.countAt(l.after(1), "members "+w.Text)
	if !ok {
		return nil
	}
	return membersCount{state: app.State(w.Text), want: c}
}

func (p *parser) includePredicate(l line) predicate {
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", "the name of a peer is missing")
		return nil
	}
	if !p.nothingAfter(l, 2) {
		return nil
	}
	out := membersInclude{want: l.words[0].Text == "include"}
	w := l.words[1]
	for part := range strings.SplitSeq(w.Text, ",") {
		names := p.several(command.Word{Text: part})
		if len(names) == 0 {
			names = []string{part}
		}
		for _, name := range names {
			if !p.viewed(l, w, name) {
				return nil
			}
			out.names = append(out.names, name)
		}
	}
	return out
}

// viewed reports whether a view may be asked for the name. Without a "peers" line, a line after this may declare it.
func (p *parser) viewed(l line, w command.Word, name string) bool {
	wrong := p.mistake(l, w.Col, command.Nearest(name, p.suite.Peers), "no peer is named %q", name)
	switch {
	case p.named[name] || strings.Contains(w.Raw, "$SELF"):
	case p.taken(name) != "":
		p.fail(l, w.Col, "", "%q names nobody here; how many are there is asked by members alive = 3", name)
		return false
	case p.declared:
		p.errs = append(p.errs, wrong)
		return false
	case !strings.Contains(w.Raw, "$"):
		p.later = append(p.later, later{func() bool {
			wrong.Hint = command.Nearest(name, slices.Sorted(maps.Keys(p.named)))
			return !p.named[name]
		}, wrong})
	}
	return true
}

func (p *parser) rosterPredicate(l line) predicate {
	if !l.is(0, "size") {
		p.fail(l, l.col(0), "", "the roster has a size: roster size = 2")
		return nil
	}
	c, ok := p.countAt(l.after(1), "roster size")
	if !ok {
		return nil
	}
	return rosterSize{want: c}
}

// countAt reads "OP N" and nothing after it.
func (p *parser) countAt(l line, of string) (comparison, bool) {
	op, ok := p.operator(l, of+" = 3")
	if !ok {
		return comparison{}, false
	}
	n, ok := p.number(l, 1)
	return comparison{op: op, n: n}, ok && p.nothingAfter(l, 2)
}

func (p *parser) operator(l line, example string) (string, bool) {
	if len(l.words) == 0 || l.words[0].Quoted || !slices.Contains(operators, l.words[0].Text) {
		hint := map[string]string{"==": "=", "<>": "!=", "=>": ">=", "=<": "<=", "is": "="}[firstText(l)]
		p.fail(l, l.col(0), hint, "an operator is wanted here, with a blank on each side: %s (or %s)", example, strings.Join(operators[1:], ", "))
		return "", false
	}
	return l.words[0].Text, true
}

func (p *parser) number(l line, i int) (int, bool) {
	if i >= len(l.words) {
		p.fail(l, l.end(), "", "a number is missing")
		return 0, false
	}
	n, err := strconv.Atoi(l.words[i].Text)
	if err != nil || n < 0 {
		p.fail(l, l.col(i), "", "%q is not a whole number", l.words[i].Text)
		return 0, false
	}
	return n, true
}

func (p *parser) outputPredicate(l line) predicate {
	switch {
	case l.is(0, "=") && len(l.words) > 1:
		return outputIs{text: l.after(1).text()}
	case l.is(0, "~") && len(l.words) > 1:
		if re, ok := p.regexpAt(l.after(1)); ok {
			return outputIs{re: re}
		}
		return nil
	}
	p.fail(l, l.col(0), "", `output is compared by output = "text" or output ~ /regexp/`)
	return nil
}

func (p *parser) jsonPredicate(l line) predicate {
	if len(l.words) < 3 {
		p.fail(l, l.end(), "", "json compares a value of the result: json [0].name = alice")
		return nil
	}
	path, err := parsePath(l.words[0].Text)
	if err != nil {
		p.fail(l, l.col(0), "", "%s", err)
		return nil
	}
	l = l.after(1)
	if l.is(0, "~") {
		if re, ok := p.regexpAt(l.after(1)); ok {
			return jsonIs{path: path, op: "~", re: re}
		}
		return nil
	}
	op, ok := p.operator(l, "json . = 3")
	if !ok {
		return nil
	}
	want := l.after(1).text()
	if _, err := strconv.ParseFloat(want, 64); err != nil && op != "=" && op != "!=" {
		p.fail(l, l.col(1), "", "%s compares numbers, and %q is none", op, want)
		return nil
	}
	return jsonIs{path: path, op: op, want: want}
}

// regexpAt reads the rest of the line as /RE/ or RE.
func (p *parser) regexpAt(l line) (*regexp.Regexp, bool) {
	return p.regexp(l, l.col(0), l.spaced())
}

func (p *parser) regexp(l line, col int, text string) (*regexp.Regexp, bool) {
	re, err := parseRegexp(text)
	if err != nil {
		p.fail(l, col, "", "%s", err)
	}
	return re, err == nil
}

// parseRegexp reads /RE/ or RE.
func parseRegexp(text string) (*regexp.Regexp, error) {
	if len(text) >= 2 && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") {
		text = text[1 : len(text)-1]
	}
	return regexp.Compile(text)
}

// eventPredicate reads "KIND field=value … [x [>=] N]".
func (p *parser) eventPredicate(l line) predicate {
	kinds := event.Kinds()
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "which event? one of %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		return nil
	}
	w := l.words[0]
	fields, ok := kinds[w.Text]
	if !ok || w.Text == "custom" {
		names := slices.Sorted(maps.Keys(kinds))
		if hint := command.Nearest(w.Text, names); !ok && (hint != "" || !eventName.MatchString(w.Text)) {
			p.fail(l, w.Col, hint, "unknown event %q: one of %s; one of an application can be said as custom kind=%s",
				w.Text, strings.Join(names, ", "), w.Text)
			return nil
		}
		fields = nil // an application chooses its own
	}
	out := eventCount{kind: w.Text, own: !ok, want: comparison{op: ">=", n: 1}}
	for l = l.after(1); len(l.words) > 0; l = l.after(1) {
		if l.is(0, "x") {
			return p.times(l.after(1), out)
		}
		f, ok := p.fieldTest(l, fields)
		if !ok {
			return nil
		}
		out.fields = append(out.fields, f)
	}
	return out
}

func (p *parser) times(l line, out eventCount) predicate {
	out.want.op = "="
	if len(l.words) == 2 {
		op, ok := p.operator(l, "x >= 3")
		if !ok {
			return nil
		}
		out.want.op = op
		l = l.after(1)
	}
	n, ok := p.number(l, 0)
	if !ok || !p.nothingAfter(l, 1) {
		return nil
	}
	out.want.n = n
	return out
}

// fieldTest reads one of field=value, field!=value and field~regexp.
func (p *parser) fieldTest(l line, fields []string) (fieldTest, bool) {
	w := l.words[0]
	f, err := parseTest(w.Text)
	switch {
	case err != nil:
		p.fail(l, w.Col, "", "%s", err)
		return fieldTest{}, false
	case f.name == "":
		p.fail(l, w.Col, "", "%q is none of field=value, field~regexp and x N", w.Text)
		return fieldTest{}, false
	}
	if fields != nil && !slices.Contains(fields, f.name) {
		p.fail(l, w.Col, command.Nearest(f.name, fields), "this event has no field %q, but %s", f.name, strings.Join(fields, ", "))
		return fieldTest{}, false
	}
	return f, true
}

// parseTest reads NAME=VALUE, NAME!=VALUE or NAME~RE. The name is empty when it is none of these; the error is that of the
// regular expression.
func parseTest(text string) (fieldTest, error) {
	i := strings.IndexAny(text, "=~")
	if i <= 0 {
		return fieldTest{}, nil
	}
	f := fieldTest{name: text[:i], want: text[i+1:]}
	if name, not := strings.CutSuffix(f.name, "!"); not && text[i] == '=' {
		f.name, f.not = name, true
	}
	var err error
	if text[i] == '~' {
		f.re, err = parseRegexp(f.want)
	}
	return f, err
}
