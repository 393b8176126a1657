package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// The elements that Jenkins and GitLab read, in the order that Jenkins' schema wants (junit-10.xsd of its xUnit
// plugin): a failure is an expectation that did not hold, an error what went wrong outside of the suite's lines.
type (
	xmlSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Time     string     `xml:"time,attr"`
		Suites   []xmlSuite `xml:"testsuite"`
	}
	xmlSuite struct {
		Name       string        `xml:"name,attr"`
		Tests      int           `xml:"tests,attr"`
		Failures   int           `xml:"failures,attr"`
		Errors     int           `xml:"errors,attr"`
		Skipped    int           `xml:"skipped,attr"`
		Time       string        `xml:"time,attr"`
		Timestamp  string        `xml:"timestamp,attr,omitempty"`
		Properties []xmlProperty `xml:"properties>property"`
		Cases      []xmlCase     `xml:"testcase"`
		Out        string        `xml:"system-out,omitempty"`
	}
	xmlProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	xmlCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		File    string      `xml:"file,attr,omitempty"`
		Time    string      `xml:"time,attr"`
		Skipped *xmlMessage `xml:"skipped"`
		Error   *xmlMessage `xml:"error"`
		Failure *xmlMessage `xml:"failure"`
		Out     string      `xml:"system-out,omitempty"`
	}
	xmlMessage struct {
		Message string `xml:"message,attr,omitempty"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes runs as JUnit XML: a testsuite for each, a testcase for each step, problem and invariant.
// Characters that XML cannot hold are replaced.
func WriteJUnit(w io.Writer, runs ...*Run) error {
	all := xmlSuites{Name: "peerlab"}
	var took time.Duration
	for _, r := range runs {
		s := junitSuite(r)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		took += r.Duration
		all.Suites = append(all.Suites, s)
	}
	all.Time = seconds(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitSuite(r *Run) xmlSuite {
	s := xmlSuite{Name: command.Clean(orElse(r.Suite, r.File)), Time: seconds(r.Duration)}
	if !r.Start.IsZero() {
		s.Timestamp = r.Start.UTC().Format("2006-01-02T15:04:05")
	}
	for _, p := range []xmlProperty{
		{"file", r.File}, {"runner", r.Runner}, {"version", r.Version}, {"seed", strconv.FormatUint(r.Seed, 10)},
		{"peers", strconv.Itoa(len(r.Peers))}, {"events", strconv.Itoa(len(r.Events))},
	} {
		if p.Value != "" {
			s.Properties = append(s.Properties, xmlProperty{p.Name, command.Clean(p.Value)})
		}
	}
	for _, c := range r.cases() {
		x := junitCase(c)
		s.Tests++
		switch {
		case x.Error != nil:
			s.Errors++
		case x.Failure != nil:
			s.Failures++
		case x.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, x)
	}
	var out strings.Builder
	for _, m := range r.Measures {
		fmt.Fprintf(&out, "measure %s: p50 %s, p95 %s, max %s, of %d\n", command.Clean(m.Name), m.P50, m.P95, m.Max, len(m.Values))
	}
	for _, m := range r.Rates {
		fmt.Fprintf(&out, "measure %s: p50 %s, p95 %s, max %s, of %d\n", command.Clean(m.Name), command.PerSecond(m.P50), command.PerSecond(m.P95), command.PerSecond(m.Max), len(m.Values))
	}
	s.Out = out.String()
	return s
}

func junitCase(c testCase) xmlCase {
	x := xmlCase{
		Name: command.Clean(c.name), Class: command.Clean(c.group), File: command.Clean(c.file), Time: seconds(c.duration),
	}
	switch {
	case c.status == Skipped:
		x.Skipped = &xmlMessage{Message: command.Clean(c.err)}
	case c.status == Failed && c.outside:
		x.Error = &xmlMessage{Message: command.Clean(c.err), Type: "problem", Text: c.text()}
	case c.status == Failed:
		x.Failure = &xmlMessage{Message: command.Clean(c.err), Type: "step", Text: c.text()}
	default:
		x.Out = c.text() // what the step showed
	}
	return x
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
