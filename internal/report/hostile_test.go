package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// hostile is what a peer may call itself or say, to be taken for something else by whoever reads it.
var hostile = []string{
	`</script><script>document.title="owned"</script>`, `"><img src=x onerror=document.title="owned">`, `' onmouseover='document.title="owned"`,
	`</title></style></svg><svg onload=document.title="owned">`, `<!--<script>`, `]]><x/>`, `&lt;&#60;%3C`, `{{.Script}}${alert(1)}`,
	"\x1b[2J\x1b]0;owned\x07", "two\nlines\r\nok 99 - not a step", "nul\x00del\x7fc1\u009b", "\u202egnp.exe\u2066", "\xff\xfe not utf8",
	`# SKIP \# TODO`, "--- \n...\n1..0", "javascript:alert(1)", "\u2028\u2029", "名前 𝒳 é", strings.Repeat("long ", 5000), "\ufffe\uffff", "__proto__", "constructor", "",
}

// hostileRun says each of these wherever somebody can say something.
func hostileRun() *Run {
	g := newGenerator(1, "hostile", 0)
	r := g.run
	r.Suite, r.File, r.Runner, r.Version = hostile[0], hostile[1], hostile[2], hostile[3]
	for i, s := range hostile {
		at := time.Duration(i) * ms
		r.Peers = append(r.Peers, s)
		r.Tags = append(r.Tags, s)
		r.Sections = append(r.Sections, Section{Title: s})
		r.Steps = append(r.Steps,
			Step{Line: i, Text: s, Section: s, Status: Failed, Err: s, Details: []string{s, s}},
			Step{Line: i, Text: s, Section: s, Status: Skipped, Err: s}, Step{Line: i, Text: s, File: s, Status: Passed, Details: []string{s}})
		r.Problems = append(r.Problems, Problem{Text: s, Details: []string{s}})
		r.Measures = append(r.Measures, NewMeasure(s, []MeasureValue{{s, ms}}))
		r.Invariants = append(r.Invariants, Invariant{Name: s, Message: s, Proof: []Proof{{Peer: s, Seq: 1, Text: s}}})
		r.Lives = append(r.Lives, Life{Peer: s, To: 5 * ms, End: s})
		clean := strings.ToValidUTF8(s, "?")
		m := &eventv1.Message{App: clean, Id: clean + "/1", From: clean, To: clean, Text: clean, Reason: clean, Receivers: []string{clean, "x"}}
		for _, e := range []*eventv1.Event{
			{What: &eventv1.Event_Joined{Joined: &eventv1.Member{Peer: clean, Id: clean}}}, {What: &eventv1.Event_Lost{Lost: &eventv1.Member{Peer: clean}}},
			{What: &eventv1.Event_Sent{Sent: m}}, {What: &eventv1.Event_Message{Message: m}}, {What: &eventv1.Event_Dropped{Dropped: m}},
			{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{Rule: clean, Active: true}}}, {What: &eventv1.Event_Shown{Shown: &eventv1.Shown{View: clean, Text: clean}}},
			{What: &eventv1.Event_Custom{Custom: &eventv1.Custom{App: clean, Kind: clean, Fields: map[string]string{clean: clean}}}},
			{What: &eventv1.Event_Command{Command: &eventv1.Command{Line: clean, Error: clean}}},
			{What: &eventv1.Event_Data{Data: &eventv1.Data{Key: clean, Value: clean, By: clean}}}, {},
		} {
			g.emit(at, clean, e)
		}
	}
	return g.finish(50 * ms)
}

// markup is what a page consists of, apart from its texts: elements, the names of attributes, and scripts.
func markup(t *testing.T, page []byte) (elements map[string]int, attributes []string) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	elements = map[string]int{}
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("there is a comment in the page: %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		elements[n.Data]++
		for _, a := range n.Attr {
			attributes = append(attributes, a.Key)
			if strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
				t.Errorf("attribute %s of %s is %q", a.Key, n.Data, a.Val)
			}
		}
	}
	slices.Sort(attributes)
	return elements, slices.Compact(attributes)
}

func TestHostileTextsStayTextsInThePage(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := WritePage(&page, hostileRun()); err != nil {
		t.Fatal(err)
	}
	elements, attributes := markup(t, page.Bytes())
	for name, want := range map[string]int{"script": 2, "style": 1, "img": 0, "svg": 0, "x": 0, "title": 1, "iframe": 0} {
		if elements[name] != want {
			t.Errorf("the page has %d %s elements, want %d", elements[name], name, want)
		}
	}
	for _, a := range attributes {
		if strings.HasPrefix(a, "on") || a == "style" || a == "src" {
			t.Errorf("an element has the attribute %q", a)
		}
	}
	if bytes.ContainsAny(page.Bytes(), "\x00\x07\x1b\x7f") {
		t.Error("the page has control characters")
	}
	if strings.ContainsRune(page.String(), '\u202e') {
		t.Error("the page has characters that reorder text")
	}
}

func TestHostileTextsStayTextsInTheData(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := WritePage(&page, hostileRun()); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(page.String(), `<script type="application/json" id="data">`)
	data, _, _ := strings.Cut(rest, "</script>")
	if strings.ContainsAny(data, "<>&\u2028\u2029") {
		t.Error("the data has characters that a browser may take for markup")
	}
	var d pageData
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		t.Fatalf("the data cannot be read: %v", err)
	}
	if len(d.Peers) != len(hostile) || len(d.Steps) != 3*len(hostile) {
		t.Errorf("there are %d peers and %d steps", len(d.Peers), len(d.Steps))
	}
}

func TestHostileTextsStayTextsInJUnit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := hostileRun()
	if err := WriteJUnit(&out, r, r); err != nil {
		t.Fatal(err)
	}
	known := []string{"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped", "system-out"}
	dec := xml.NewDecoder(&out)
	cases := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if !slices.Contains(known, start.Name.Local) {
				t.Errorf("there is an element %s", start.Name.Local)
			}
			if start.Name.Local == "testcase" {
				cases++
			}
		}
	}
	if want := 2 * len(r.cases()); cases != want {
		t.Errorf("there are %d cases, want %d", cases, want)
	}
}

func TestHostileTextsStayTextsInTAP(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := hostileRun()
	if err := WriteTAP(&out, r); err != nil {
		t.Fatal(err)
	}
	points := 0
	for _, line := range strings.Split(out.String(), "\n") {
		if strings.ContainsFunc(line, unicode.IsControl) {
			t.Errorf("line %q has control characters", line)
		}
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "not ok ") {
			points++
		} else if line != "" && line[0] != ' ' && line[0] != '#' && line != "TAP version 14" && !strings.HasPrefix(line, "1..") {
			t.Errorf("line %q is none of ours", line)
		}
		if description, _, directive := strings.Cut(line, " # SKIP"); directive && strings.HasSuffix(description, `\`) {
			t.Errorf("line %q has a directive of a peer", line)
		}
	}
	if want := len(r.cases()); points != want {
		t.Errorf("there are %d test points, want %d", points, want)
	}
}
