package testcoord

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// jsonIs is "json PATH OP VALUE", about the result of the last command. Numbers compare
// as numbers, everything else as text.
type jsonIs struct {
	path path
	op   string // of operators, or ~
	want string
	re   *regexp.Regexp
}

func (jsonIs) exact() bool                 { return false }
func (jsonIs) matters(*eventv1.Event) bool { return false }

func (j jsonIs) judge(p *peer, _ bool) judge {
	return state{
		check: func() verdict {
			if got, isString, err := j.path.find(p.result); err == nil && j.holds(got, isString) {
				return yes
			}
			return p.idle(no)
		},
		show: func() string {
			if p.result == "" {
				return "the last command had no result"
			}
			got, _, err := j.path.find(p.result)
			if err != nil {
				return fmt.Sprintf("%s in %s", err, shorten(p.result))
			}
			return fmt.Sprintf("%s is %s", j.path, shorten(got))
		},
	}
}

func (j jsonIs) holds(got string, isString bool) bool {
	if j.op == "~" {
		return j.re.MatchString(got)
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(j.want, 64)
	if !isString && errA == nil && errB == nil {
		return compares(j.op, cmp.Compare(a, b))
	}
	return (j.op == "=" || j.op == "!=") && compares(j.op, strings.Compare(got, j.want))
}

// path is the way to a value in JSON.
type path struct {
	text  string
	steps []any // string or int
}

func (p path) String() string { return p.text }

var pathStep = regexp.MustCompile(`^(?:\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,6})\])`)

// parsePath reads ., name, [0].name, a.b[2].
func parsePath(s string) (path, error) {
	p := path{text: s}
	for rest := s; rest != "" && s != "."; {
		m := pathStep.FindStringSubmatch(rest)
		if m == nil {
			return path{}, fmt.Errorf("%q is no path such as . or [0].name", s)
		}
		if m[1] != "" {
			p.steps = append(p.steps, m[1])
		} else {
			n, _ := strconv.Atoi(m[2])
			p.steps = append(p.steps, n)
		}
		rest = rest[len(m[0]):]
	}
	return p, nil
}

// find returns the value as text: a string as it is, everything else as JSON.
func (p path) find(doc string) (text string, isString bool, err error) {
	raw := json.RawMessage(doc)
	for _, s := range p.steps {
		var next json.RawMessage
		switch s := s.(type) {
		case string:
			var object map[string]json.RawMessage
			if err := json.Unmarshal(raw, &object); err == nil {
				next = object[s]
			}
		case int:
			var array []json.RawMessage
			if err := json.Unmarshal(raw, &array); err == nil && s < len(array) {
				next = array[s]
			}
		}
		if next == nil {
			return "", false, fmt.Errorf("there is no %s", p.text)
		}
		raw = next
	}
	if err := json.Unmarshal(raw, &text); err == nil && string(raw) != "null" {
		return text, true, nil
	}
	return string(raw), false, nil
}
