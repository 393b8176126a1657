package report

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strconv"

	"peerlab.example/peerlab/internal/command"
)

// Sizes of a chart, in pixels of its own.
const (
	chartWidth, chartHeight                  = 520, 300
	chartLeft, chartRight, chartTop, chartBt = 62, 14, 34, 62
)

// chart is the picture of one series: the values on a logarithmic axis, and from 0 upwards what was measured. Of each line the mean of the
// runs is drawn, with a whisker from the least to the most, and dashed what theory expects.
type chart struct {
	study  *Study
	series *Series
	top    float64 // of the axis
	step   float64 // between two of its marks
}

func newChart(s *Study, series *Series) *chart {
	most := 0.0
	for _, p := range series.Points {
		most = max(most, p.Least.High, p.Median.High, p.Most.High)
	}
	for _, t := range series.Theory {
		most = max(most, slices.Max(append(slices.Clone(t.Numbers), 0)))
	}
	c := &chart{study: s, series: series, step: roundStep(most / 4)}
	c.top = math.Max(math.Ceil(most/c.step), 1) * c.step
	return c
}

// single reports whether each run has one sample, so that all lines are the same.
func (c *chart) single() bool {
	return !slices.ContainsFunc(c.series.Points, func(p Point) bool { return p.Samples != p.Runs })
}

// lines are those that are drawn.
func (c *chart) lines() []string {
	if c.single() {
		return []string{LineMedian}
	}
	return Lines()
}

// roundStep is the smallest of 1, 2 and 5 times a power of ten that is not below n.
func roundStep(n float64) float64 {
	if n <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(n)))
	for _, by := range []float64{1, 2, 5} {
		if by*power >= n*(1-1e-9) {
			return by * power
		}
	}
	return 10 * power
}

// x is where a value is; the axis is logarithmic, since theory grows with the logarithm.
func (c *chart) x(value int) float64 {
	first, last := float64(c.study.Values[0]), float64(c.study.Values[len(c.study.Values)-1])
	at := 0.5
	if last > first {
		at = math.Log(float64(value)/first) / math.Log(last/first)
	}
	const inset = 16 // so that the first and the last are not on the frame
	return chartLeft + inset + at*(chartWidth-chartLeft-chartRight-2*inset)
}

func (c *chart) y(n float64) float64 {
	return chartTop + (1-n/c.top)*(chartHeight-chartTop-chartBt)
}

// draw writes the chart as an SVG element.
func (c *chart) draw(b *bytes.Buffer) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" class="chart">`,
		chartWidth, chartHeight, inPicture(c.series.Name+" by "+c.study.Param))
	c.axes(b)
	for _, line := range c.lines() {
		c.measured(b, line)
	}
	for _, t := range c.series.Theory {
		c.theory(b, t)
	}
	c.legend(b)
	b.WriteString("</svg>\n")
}

// inPicture is a text as it may stand in a picture, whoever has written it.
func inPicture(text string) string {
	const most = 64 // characters, of which so many fit above a chart
	return html.EscapeString(cutTo(command.Clean(text), most))
}

func (c *chart) axes(b *bytes.Buffer) {
	fmt.Fprintf(b, `<text x="%d" y="18" class="title">%s</text>`, 8, inPicture(c.series.Name))
	for n := 0.0; n <= c.top*(1+1e-9); n += c.step {
		y := c.y(n)
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="grid"/>`, chartLeft, chartWidth-chartRight, y, y)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" class="tick" text-anchor="end">%s</text>`, chartLeft-6, y+4, html.EscapeString(c.tick(n)))
	}
	free := 0.0 // so that labels do not touch
	for _, v := range c.study.Values {
		x, label := c.x(v), strconv.Itoa(v)
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="axis"/>`, x, x, chartHeight-chartBt, chartHeight-chartBt+4)
		if half := 3.5*float64(len(label)) + 2; x-half >= free {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" class="tick" text-anchor="middle">%s</text>`, x, chartHeight-chartBt+17, label)
			free = x + half
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" class="tick" text-anchor="end">%s</text>`, chartWidth-chartRight, chartHeight-chartBt+31,
		inPicture(c.study.Param))
}

// tick is a number at the axis.
func (c *chart) tick(n float64) string {
	text := strconv.FormatFloat(n, 'f', max(0, int(-math.Floor(math.Log10(c.step)+1e-9))), 64)
	if c.series.Rate {
		return text + "/s"
	}
	return text + " s"
}

// measured draws one line of what was measured.
func (c *chart) measured(b *bytes.Buffer, line string) {
	path, sep := "", "M"
	for _, p := range c.series.Points {
		s, x := p.Line(line), c.x(p.Value)
		path += fmt.Sprintf("%s%.1f %.1f", sep, x, c.y(s.Mean))
		sep = "L"
		if s.High > s.Low {
			fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="whisker %s"/>`, x, x, c.y(s.Low), c.y(s.High), line)
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" class="dot %s"><title>%s</title></circle>`, x, c.y(s.Mean), line,
			html.EscapeString(fmt.Sprintf("%s with %d: %s, from %s to %s over %d runs", line, p.Value,
				c.series.Shown(s.Mean), c.series.Shown(s.Low), c.series.Shown(s.High), p.Runs)))
	}
	if path != "" {
		fmt.Fprintf(b, `<path d="%s" class="line %s"/>`, path, line)
	}
}

// theory draws a line that is expected.
func (c *chart) theory(b *bytes.Buffer, t Theory) {
	path, sep := "", "M"
	for _, v := range c.study.Values {
		if n, ok := t.At(c.study.Values, v); ok {
			path += fmt.Sprintf("%s%.1f %.1f", sep, c.x(v), c.y(n))
			sep = "L"
		} else {
			sep = "M"
		}
	}
	if path != "" {
		fmt.Fprintf(b, `<path d="%s" class="theory %s"><title>%s</title></path>`, path, t.Of, inPicture("expected: "+t.Name))
	}
}

// legend says which line is which, below the chart.
func (c *chart) legend(b *bytes.Buffer) {
	x, y := 8, chartHeight-10
	entry := func(class, text string) {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%d" y2="%d" class="%s"/><text x="%d" y="%d" class="key">%s</text>`,
			x, x+22, y-4, y-4, class, x+27, y, html.EscapeString(text))
		x += 27 + 7*len(text) + 12
	}
	for _, line := range c.lines() {
		text := line
		if c.single() {
			text = "measured"
		}
		entry("line "+line, text)
	}
	if len(c.series.Theory) > 0 {
		entry("theory", "dashed: expected")
	}
}

// WriteStudySVG writes all charts of a study as one picture, two beside each other.
func WriteStudySVG(w io.Writer, s *Study) error {
	style, err := pageFiles.ReadFile("page/chart.css")
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	const columns = 2
	rows := (len(s.Series) + columns - 1) / columns
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d"><style>%s</style><rect width="100%%" height="100%%" class="paper"/>`+"\n",
		columns*chartWidth, rows*chartHeight, html.EscapeString(string(style)))
	for i := range s.Series {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`, i%columns*chartWidth, i/columns*chartHeight)
		var one bytes.Buffer
		newChart(s, &s.Series[i]).draw(&one)
		// A nested SVG without a size takes that of its parent.
		b.Write(bytes.Replace(one.Bytes(), []byte("<svg "), fmt.Appendf(nil, `<svg width="%d" height="%d" `, chartWidth, chartHeight), 1))
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err = w.Write(b.Bytes())
	return err
}
