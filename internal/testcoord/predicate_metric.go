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

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// metricsCommand is the command of a peer that tells its numbers.
const metricsCommand = "metrics"

// Suffixes of names that say what a number is.
const (
	counterSuffix = "_total" // it begins at 0 and only grows
	secondsSuffix = "_seconds"
)

var metricShape = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_:]*)(?:\{(.*)\})?$`)

// metricIs is "metric NAME{label=value,…} OP N". Of several numbers that fit, it is the sum.
type metricIs struct {
	name   string
	labels []fieldTest
	op     string
	want   float64
}

func (metricIs) exact() bool                 { return false }
func (metricIs) matters(*eventv1.Event) bool { return false }

func (m metricIs) judge(*peer, bool) judge { return &gauge{metricIs: m} }

// question is the command that tells the number.
func (m metricIs) question() string { return metricsCommand + " " + m.name }

// metricPredicate reads "NAME{label=value,…} OP N".
func (p *parser) metricPredicate(l line) predicate {
	const example = "metric members{state=alive} = 3"
	out, ok := p.metricName(l, example)
	if !ok {
		return nil
	}
	if out.op, ok = p.operator(l.after(1), example); !ok {
		return nil
	}
	out.want, ok = p.float(l, 2, strings.HasSuffix(out.name, secondsSuffix))
	if !ok || !p.nothingAfter(l, 3) {
		return nil
	}
	return out
}

// metricName reads "NAME{label=value,…}", which is the first word.
func (p *parser) metricName(l line, example string) (metricIs, bool) {
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "which metric? %s", example)
		return metricIs{}, false
	}
	w := l.words[0]
	shape := metricShape.FindStringSubmatch(w.Text)
	switch {
	case strings.Contains(w.Text, "{") && !strings.HasSuffix(w.Text, "}"):
		p.fail(l, w.Col, "", "labels stand in braces, without blanks and with a blank behind: %s", example)
		return metricIs{}, false
	case shape == nil && strings.ContainsAny(w.Text, "=<>!"):
		p.fail(l, w.Col, "", "write a blank on each side of the operator: %s", example)
		return metricIs{}, false
	case shape == nil:
		p.fail(l, w.Col, "", "%q is no metric such as members{state=alive}", w.Text)
		return metricIs{}, false
	}
	metric, ok := p.knownMetric(l, w, shape[1])
	if !ok {
		return metricIs{}, false
	}
	labels, ok := p.labels(l, w, metric, shape[2])
	return metricIs{name: shape[1], labels: labels}, ok
}

// knownMetric finds a metric by its name, among those that peers of this suite tell.
func (p *parser) knownMetric(l line, w command.Word, name string) (app.Metric, bool) {
	var names []string
	for _, m := range p.table.Metrics {
		if m.Name == name {
			return m, true
		}
		names = append(names, m.Name)
	}
	bare := strings.TrimPrefix(name, "peerlab_")
	hint := command.Nearest(bare, names)
	if slices.Contains(names, bare) {
		hint = bare
	}
	p.fail(l, w.Col, hint, "unknown metric %q: there are %s", name, cmp.Or(list(names), "none"))
	return app.Metric{}, false
}

// labels reads what stands in the braces.
func (p *parser) labels(l line, w command.Word, metric app.Metric, text string) ([]fieldTest, bool) {
	var out []fieldTest
	if text == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		test, err := parseTest(part)
		switch {
		case err != nil:
			p.fail(l, w.Col, "", "%s", err)
			return nil, false
		case test.name == "":
			p.fail(l, w.Col, "", "%q is none of label=value, label!=value and label~regexp", part)
			return nil, false
		case len(metric.Labels) == 0:
			p.fail(l, w.Col, metric.Name, "metric %s has no labels", metric.Name)
			return nil, false
		case !slices.Contains(metric.Labels, test.name):
			p.fail(l, w.Col, command.Nearest(test.name, metric.Labels), "metric %s has no label %q, but %s", metric.Name, test.name, list(metric.Labels))
			return nil, false
		}
		out = append(out, test)
	}
	return out, true
}

// float reads word i; where it is seconds, a duration will do.
func (p *parser) float(l line, i int, seconds bool) (float64, bool) {
	if i >= len(l.words) {
		p.fail(l, l.end(), "", "a number is missing")
		return 0, false
	}
	n, err := strconv.ParseFloat(l.words[i].Text, 64)
	if d, wrong := app.ParseDuration(l.words[i].Text); err != nil && seconds && wrong == nil {
		n, err = d.Seconds(), nil
	}
	if err != nil || n != n {
		p.fail(l, l.col(i), "", "%q is not a number such as 3, 0.25 or 1e6", l.words[i].Text)
		return 0, false
	}
	return n, true
}

// sample is one number of a peer.
type sample struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Value  *float64          `json:"value"` // nil when it is none
}

// gauge judges a number by what the peer has answered last.
type gauge struct {
	metricIs
	asked bool // it has answered
	all   []sample
	fit   int // so many of them fit
	sum   float64
	err   string
}

func (*gauge) see(*eventv1.Event) {}

// answer takes in what the peer says.
func (g *gauge) answer(done *testcoordv1.Done) {
	g.asked, g.all, g.fit, g.sum, g.err = true, nil, 0, 0, done.GetError()
	if g.err != "" {
		return
	}
	if err := json.Unmarshal([]byte(done.GetResultJson()), &g.all); err != nil {
		g.err = "its answer cannot be read: " + err.Error()
		return
	}
	for _, s := range g.all {
		if s.Name != g.name || s.Value == nil {
			continue
		}
		if !slices.ContainsFunc(g.labels, func(t fieldTest) bool { return !t.holds(s.Labels) }) {
			g.fit++
			g.sum += *s.Value
		}
	}
}

func (g *gauge) verdict() verdict {
	switch {
	case !g.asked:
		return unknown
	case g.err != "":
		return hopeless
	case g.fit == 0 && !strings.HasSuffix(g.name, counterSuffix):
		return no
	case compares(g.op, cmp.Compare(g.sum, g.want)):
		return yes
	case strings.HasSuffix(g.name, counterSuffix) && g.past():
		return hopeless
	}
	return no
}

// past reports whether a number that only grows is beyond what is wanted. With != it may be right again.
func (g *gauge) past() bool {
	return (g.op == "=" || g.op == "<=") && g.sum > g.want || g.op == "<" && g.sum >= g.want
}

// samplesShown is how many numbers of one name are shown.
const samplesShown = 6

func (g *gauge) seen() string {
	switch {
	case g.err != "":
		return g.err
	case !g.asked:
		return "it has not answered"
	}
	var parts []string
	for _, s := range g.all {
		if s.Value != nil {
			parts = append(parts, shownLabels(s.Labels)+formatFloat(*s.Value))
		}
	}
	text := g.name + " is " + formatFloat(g.sum)
	switch {
	case g.fit == 0 && len(parts) == 0:
		return "there is no " + g.name
	case g.fit == 0:
		text = "there is no such " + g.name
	case len(parts) == 1:
		return text
	}
	more := ""
	if n := len(parts) - samplesShown; n > 0 {
		parts, more = parts[:samplesShown], fmt.Sprintf(" and %d more", n)
	}
	return text + ", of " + strings.Join(parts, "  ") + more
}

// shownLabels is "{from=alice} ", or nothing.
func shownLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+command.Quote(shorten(labels[name])))
	}
	return "{" + strings.Join(parts, ",") + "} "
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
