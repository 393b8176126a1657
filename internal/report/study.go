package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// Study is what runs of one suite have measured that differ in one number, such as how many peers there are.
type Study struct {
	// Suite is its name, File its file, Param the number that was varied, and Values what it was, in ascending order.
	Suite  string `json:"suite"`
	File   string `json:"file"`
	Param  string `json:"param"`
	Values []int  `json:"values"`
	// Runs is how often there was a run of each value, each with another seed from Seed on.
	Runs int    `json:"runs"`
	Seed uint64 `json:"seed"`
	// Profile is the profile of membership, Place what the network was like, and Version that of peerlab.
	Profile string   `json:"profile"`
	Place   string   `json:"network"`
	Version string   `json:"version,omitempty"`
	Series  []Series `json:"series"`
	// Failures are runs that did not pass; what they have measured is not in Series.
	Failures []string `json:"failures,omitempty"`
}

// Series is one measure over the values of a study.
type Series struct {
	Name string `json:"name"`
	// Rate is whether the numbers are per second; else they are seconds.
	Rate   bool    `json:"rate,omitempty"`
	Points []Point `json:"points"`
	// Theory is what is expected of some of the lines; may be empty.
	Theory []Theory `json:"theory,omitempty"`
}

// Point is what was measured with one value: in each run the least, the median and the most of its samples, which are mostly one for
// each peer, and of these the mean over the runs, with the least and the most.
type Point struct {
	Value   int    `json:"value"`
	Runs    int    `json:"runs"`
	Samples int    `json:"samples"`
	Least   Spread `json:"least"`
	Median  Spread `json:"median"`
	Most    Spread `json:"most"`
}

// Spread is a number over several runs.
type Spread struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// The lines of a series, of which theory may know something.
const (
	LineLeast  = "least"
	LineMedian = "median"
	LineMost   = "most"
)

// Theory is a line that is expected.
type Theory struct {
	// Of is the line of what was measured that it should be like, and Name what it is called.
	Of   string `json:"of"`
	Name string `json:"name"`
	// Numbers belong to Study.Values; a negative one is not known.
	Numbers []float64 `json:"numbers"`
}

// Lines are the lines of a series, the lowest first.
func Lines() []string { return []string{LineLeast, LineMedian, LineMost} }

// Line is a spread of a point by the name of its line.
func (p Point) Line(name string) Spread {
	switch name {
	case LineLeast:
		return p.Least
	case LineMost:
		return p.Most
	}
	return p.Median
}

// Shown is a number of the series for a person.
func (s *Series) Shown(n float64) string {
	if s.Rate {
		return command.PerSecond(n)
	}
	return command.Duration(time.Duration(n * float64(time.Second)))
}

// The files of a study.
const (
	FileStudy     = "study.json"
	FileStudyPage = "study.html"
	FileStudySVG  = "study.svg"
)

// WriteStudy writes all files of a study into dir, which is made when it is missing: the numbers, a page, and its pictures as one.
func WriteStudy(s *Study, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("study: %w", err)
	}
	var errs []error
	for name, write := range map[string]func(io.Writer, *Study) error{
		FileStudyPage: WriteStudyPage, FileStudySVG: WriteStudySVG,
		FileStudy: func(w io.Writer, s *Study) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(s)
		},
	} {
		if err := writeFile(filepath.Join(dir, name), func(w io.Writer) error { return write(w, s) }); err != nil {
			errs = append(errs, fmt.Errorf("study: %w", err))
		}
	}
	return errors.Join(errs...)
}

// studyView is what the template is filled with.
type studyView struct {
	*Study
	Style template.CSS
	CSP   string
	Facts []fact
	Shown []seriesView
}

// seriesView is a series as the template reads it.
type seriesView struct {
	*Series
	Picture template.HTML
	Rows    []rowView
}

// rowView is the table row of one value, with the numbers and what is expected of them by line.
type rowView struct {
	Point
	Lines []lineView
}

// lineView is a number, and what was expected of it, or nothing.
type lineView struct{ Name, Measured, Expected string }

// WriteStudyPage writes a study as one HTML file that needs nothing else.
func WriteStudyPage(w io.Writer, s *Study) error {
	a, err := loadPage("study.html")
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	chart, err := pageFiles.ReadFile("page/chart.css")
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	a.style += string(chart)
	v := studyView{Study: s, Style: template.CSS(a.style), CSP: a.policy(false), Facts: s.facts()}
	for i := range s.Series {
		v.Shown = append(v.Shown, s.viewOf(&s.Series[i]))
	}
	if err := a.page.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

func (s *Study) facts() []fact {
	return []fact{
		{s.Param, strings.Trim(fmt.Sprint(s.Values), "[]")}, {"runs of each", fmt.Sprint(s.Runs)}, {"seeds from", fmt.Sprint(s.Seed)},
		{"gossip profile", s.Profile}, {"network", s.Place}, {"file", s.File}, {"version", s.Version},
	}
}

func (s *Study) viewOf(series *Series) seriesView {
	var b bytes.Buffer
	c := newChart(s, series)
	c.draw(&b)
	v := seriesView{Series: series, Picture: template.HTML(b.String())} // made here: every text in it is escaped
	for _, p := range series.Points {
		row := rowView{Point: p}
		for _, line := range Lines() {
			one := lineView{Name: line, Measured: series.Shown(p.Line(line).Mean)}
			for _, t := range series.Theory {
				if n, ok := t.At(s.Values, p.Value); ok && t.Of == line {
					one.Expected = series.Shown(n)
				}
			}
			row.Lines = append(row.Lines, one)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// At is what is expected with a value, one of those of the study.
func (t Theory) At(values []int, value int) (float64, bool) {
	for i, v := range values {
		if v == value && i < len(t.Numbers) && t.Numbers[i] >= 0 {
			return t.Numbers[i], true
		}
	}
	return 0, false
}
