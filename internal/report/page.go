package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// pageFiles are the parts of the page. The scripts are one program, cut by subject.
//
//go:embed page
var pageFiles embed.FS

// scripts are in the order in which they need each other.
var scripts = []string{
	"dom.js", "data.js", "axis.js", "lanes.js", "density.js", "diagram.js", "follow.js", "beliefs.js", "matrix.js",
	"spread.js", "curve.js", "steps.js", "list.js", "live.js", "main.js",
}

// pageView is what the template is filled with. Texts are as peers wrote them: the template escapes.
type pageView struct {
	*Run
	Style  template.CSS
	Script template.JS
	CSP    string
	Data   template.JS
	Live   bool
	Up     string // where all runs are; empty when there is nothing else
	Now    string // what the run is about
	Counts Counts
	First  *failure
	Others int // how many more failed
	Facts  []fact
	Page   string // the title
}

// failure is a case that failed, as the template reads it.
type failure struct {
	Name, Group, Err string
	Details          []string
}

type fact struct{ Name, Value string }

// pageData is what the script reads.
type pageData struct {
	Peers    []string  `json:"peers"`
	Lives    []Life    `json:"lives"`
	Steps    []Step    `json:"steps"` // short ones
	Sections []Section `json:"sections"`
	Gossip   Gossip    `json:"gossip"`
	Duration int64     `json:"us"` // microseconds
	Blocks   []any     `json:"blocks"`
	// Next is the id of the block that follows, of a live page; empty otherwise.
	Next string `json:"next"`
	// Going is whether the run goes on.
	Going bool `json:"going"`
}

// WritePage writes a run as one HTML file that needs nothing else: no network, no other file.
func WritePage(w io.Writer, r *Run) error {
	a, err := loadAssets()
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return a.render(w, r, []any{encode(r.Events)}, following{})
}

// following is what makes a page a live one.
type following struct {
	next  string // the id of what the page has; messages follow it. Empty for a page that nothing follows
	going bool   // the run goes on
	now   string // what the run is about
	up    string // where all runs are; empty when there are no others
}

// render writes the page.
func (a assets) render(w io.Writer, r *Run, blocks []any, f following) error {
	data, err := json.Marshal(pageData{
		Peers: cleaned(r.Peers), Lives: cleanedLives(r.Lives), Steps: shortSteps(r.Steps), Sections: cleanedSections(r.Sections), Gossip: r.Gossip,
		Duration: r.Duration.Microseconds(), Blocks: blocks, Next: f.next, Going: f.going,
	})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	v := pageView{
		Run: r, Style: template.CSS(a.style), Script: template.JS(a.script), CSP: a.policy(f.next != ""),
		Data: template.JS(data), // json.Marshal escapes <, > and &, and so it cannot end the script element
		Live: f.going, Up: f.up, Now: f.now, Counts: r.Count(), Facts: r.facts(f.going), Page: orElse(r.Suite, r.File),
	}
	for _, c := range r.cases() {
		if c.status != Failed {
			continue
		}
		if v.First == nil {
			v.First = &failure{c.name, c.group, c.err, c.details}
		} else {
			v.Others++
		}
	}
	if err := a.page.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// assets are the parts of the page.
type assets struct {
	style, script string
	page          *template.Template
}

func loadAssets() (assets, error) { return loadPage("page.html", scripts...) }

// loadPage loads a page with its scripts, in the order in which they need each other.
func loadPage(name string, scripts ...string) (assets, error) {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return assets{}, err
	}
	script := "(() => {\n\"use strict\";\n"
	for _, name := range scripts {
		text, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return assets{}, err
		}
		script += string(text)
	}
	page, err := template.New(name).Funcs(template.FuncMap{
		"took": command.Duration, "at": at, "symbol": symbol, "clean": bounded, "first": firstLines, "rate": command.PerSecond, "counted": counted,
	}).ParseFS(pageFiles, "page/"+name)
	return assets{style: string(style), script: script + "})();\n", page: page}, err
}

// policy lets the page do nothing but run its own script and style, and, when it is live, ask for events.
func (a assets) policy(live bool) string {
	connect := "'none'"
	if live {
		connect = "'self'"
	}
	return "default-src 'none'; script-src " + digest(a.script) + "; style-src " + digest(a.style) +
		"; img-src data:; connect-src " + connect + "; base-uri 'none'; form-action 'none'"
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// facts are the header of the page.
func (r *Run) facts(going bool) []fact {
	var out []fact
	put := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	put("File", r.File)
	if !r.Start.IsZero() {
		put("Started", r.Start.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if !going {
		put("Took", command.Duration(r.Duration))
	}
	put("Peers", strconv.Itoa(len(r.Peers)))
	if r.Ready > 0 {
		put("All attached after", command.Duration(r.Ready))
	}
	put("Runner", r.Runner)
	if r.Seed != 0 {
		put("Seed", strconv.FormatUint(r.Seed, 10))
	}
	put("Gossip profile", r.Gossip.Profile)
	put("Tags", strings.Join(r.Tags, " "))
	put("peerlab", r.Version)
	if len(r.Events) > 0 {
		put("Events", strconv.Itoa(len(r.Events)))
	}
	if r.Missed > 0 {
		put("Events lost on their way", strconv.FormatUint(r.Missed, 10))
	}
	return out
}

// at is a time on the axis.
func at(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// symbol says the status to those who do not see its colour.
func symbol(s Status) string {
	switch s {
	case Passed:
		return "✓"
	case Failed:
		return "✗"
	case Running:
		return "▸"
	}
	return "–"
}

// longest is how much of one text the tables show, in runes.
const longest = 1000

// bounded is a text of others as the page shows it.
func bounded(s string) string { return cutTo(command.Clean(s), longest) }

// detailsShown is how many lines below a failure the page shows.
const detailsShown = 60

func firstLines(lines []string) []string {
	if len(lines) <= detailsShown {
		return lines
	}
	return append(lines[:detailsShown:detailsShown], fmt.Sprintf("… and %s, in %s", counted(len(lines)-detailsShown, "more line"), FileRun))
}

// counted is "1 line" or "2 lines".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func cleaned(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = shorten(command.Clean(n))
	}
	return out
}

// cleanedLives have names as the events of the page have them.
func cleanedLives(lives []Life) []Life {
	out := make([]Life, len(lives))
	for i, l := range lives {
		l.Peer, l.End = shorten(command.Clean(l.Peer)), shorten(command.Clean(l.End))
		out[i] = l
	}
	return out
}

func cleanedSections(sections []Section) []Section {
	out := slices.Clone(sections)
	for i := range out {
		out[i].Title = shorten(command.Clean(out[i].Title))
	}
	return out
}

// shortSteps are the steps without what only the table shows.
func shortSteps(steps []Step) []Step {
	out := make([]Step, len(steps))
	for i, s := range steps {
		out[i] = s.short()
	}
	return out
}

func (s Step) short() Step {
	s.Text, s.Section, s.Err = shorten(command.Clean(s.Text)), shorten(command.Clean(s.Section)), shorten(command.Clean(s.Err))
	s.Round = shorten(command.Clean(s.Round))
	s.File, s.Details = "", nil
	return s
}
