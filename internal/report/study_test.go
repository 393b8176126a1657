package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// studied is a study with names that would like to be something else.
func studied() *Study {
	flat := func(n float64) Spread { return Spread{Mean: n, Low: n / 2, High: n * 2} }
	point := func(value int, n float64) Point {
		return Point{Value: value, Runs: 2, Samples: 20, Least: flat(n / 2), Median: flat(n), Most: flat(2 * n)}
	}
	one := func(value int) Point {
		return Point{Value: value, Runs: 2, Samples: 2, Least: flat(3), Median: flat(3), Most: flat(3)}
	}
	evil := strings.Join(hostile, " ")
	return &Study{
		Suite: evil, File: evil, Param: evil, Values: []int{10, 20, 500}, Runs: 2, Seed: 1, Failures: hostile,
		Series: []Series{
			{Name: evil, Points: []Point{point(10, 0.2), point(20, 0.3), point(500, 1.1)}, Theory: []Theory{
				{Of: LineMedian, Name: evil, Numbers: []float64{0.25, -1, 1}},
			}},
			{Name: "packets", Rate: true, Points: []Point{point(10, 2), point(20, 2000), point(500, 2)}},
			{Name: "expect something", Points: []Point{one(10), one(20), one(500)}},
			{Name: "zero", Points: []Point{{Value: 10, Runs: 1, Samples: 1}}},
		},
	}
}

// wellFormed reads XML to its end, and counts its elements by name.
func wellFormed(t *testing.T, text []byte) map[string]int {
	t.Helper()
	count := map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("%v at %d: %.200q", err, d.InputOffset(), text[max(0, d.InputOffset()-100):])
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("attribute %s", a.Name.Local)
				}
			}
		}
	}
}

func TestStudyFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "seen")
	if err := WriteStudy(studied(), dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("<script")) || bytes.Contains(text, []byte{0x1b}) {
			t.Errorf("%s has what was only a name", name)
		}
		return text
	}
	picture := wellFormed(t, read(FileStudySVG))
	if picture["script"] > 0 || picture["svg"] != 5 || picture["style"] != 1 {
		t.Errorf("the picture has %v", picture)
	}
	page := string(read(FileStudyPage))
	for _, want := range []string{"300ms", "2000/s", "least with 10", "dashed: expected", "default-src &#39;none&#39;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	read(FileStudy)
}

// TestChart looks at what is drawn: lines with a whisker for each point, one line where each run has one sample, and theory with a gap where it knows nothing.
func TestChart(t *testing.T) {
	t.Parallel()
	s := studied()
	for i, want := range []struct{ dots, whiskers, theory int }{{9, 9, 2}, {9, 9, 0}, {3, 3, 0}, {1, 0, 0}} {
		var b bytes.Buffer
		newChart(s, &s.Series[i]).draw(&b)
		count := func(class string) int { return strings.Count(b.String(), `class="`+class) }
		if got := wellFormed(t, b.Bytes()); got["circle"] != want.dots || count("whisker") != want.whiskers || count("theory") != want.theory {
			t.Errorf("%s: %d dots, %d whiskers, %d dashed\n%s", s.Series[i].Name, got["circle"], count("whisker"), count("theory"), b.String())
		}
	}
	var b bytes.Buffer
	newChart(s, &s.Series[0]).draw(&b)
	if path := strings.Split(strings.Split(b.String(), `class="theory median"`)[0], `<path d="`); strings.Count(path[len(path)-1], "M") != 2 {
		t.Errorf("the line goes through a value that is not known:\n%s", path[len(path)-1])
	}
}

func TestRoundStep(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]float64{0: 1, 0.3: 0.5, 0.5: 0.5, 0.51: 1, 1.2: 2, 7: 10, 23: 50, 1e-9: 1e-9} {
		if got := roundStep(n); fmt.Sprintf("%.3g", got) != fmt.Sprintf("%.3g", want) {
			t.Errorf("%v: %v, want %v", n, got, want)
		}
	}
}
