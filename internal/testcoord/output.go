package testcoord

import (
	"fmt"
	"io"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// Screen shows a run to a person, as it happens. Its methods are called one at a time, under locks of the coordinator.
type Screen interface {
	// Say shows a line about what comes before the run.
	Say(text string)
	// Section begins a section.
	Section(title string)
	// Step shows a step that has ended; Block the first line of a block. When that is not for this runner, its Err says why.
	Step(s StepRecord)
	Block(s StepRecord)
	// Problem shows what went wrong outside of a step; tail is what the peer wrote last.
	Problem(what string, tail []string)
	// Note shows what may be of interest, and is no failure.
	Note(text string)
	// Summary is the last that is shown.
	Summary(r *Result)
}

// NewScreen returns a screen that writes lines. Everything from peers and files is cleaned on its way.
func NewScreen(out io.Writer, color bool) Screen { return &printer{out: out, color: color} }

// printer is a Screen.
type printer struct {
	out   io.Writer
	color bool
}

const (
	green  = "32"
	red    = "31"
	yellow = "33"
	bold   = "1"
	dim    = "2"
)

func (p *printer) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// indent is below the result and the time of a step.
const indent = "              "

func (p *printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *printer) Say(text string) { p.line("%s", command.Clean(text)) }

func (p *printer) Section(title string) { p.line("%s", p.paint(bold, "== "+command.Clean(title))) }

// Step is "ok   12ms  3  alice init", and below it the details. Steps in blocks are indented.
func (p *printer) Step(s StepRecord) {
	code := green
	switch s.Status {
	case Failed:
		code = red
	case Skipped:
		code = yellow
	}
	in := strings.Repeat("  ", s.Depth)
	p.line("%s %7s %s  %s%s", p.paint(code, fmt.Sprintf("%-4s", s.Status)), command.Duration(s.Duration), s.place(), in, p.text(s))
	if s.Err != "" {
		p.line("%s%s%s", indent, in, p.paint(code, command.Clean(s.Err)))
	}
	for _, d := range s.Details {
		if d != s.Err {
			p.line("%s%s%s", indent, in, command.Clean(d))
		}
	}
}

func (p *printer) Block(s StepRecord) {
	in := strings.Repeat("  ", s.Depth)
	head := strings.Repeat(" ", 12)
	if s.Err != "" {
		head = p.paint(yellow, fmt.Sprintf("%-4s", Skipped)) + strings.Repeat(" ", 8)
	}
	p.line("%s %s  %s%s", head, s.place(), in, p.text(s))
	if s.Err != "" {
		p.line("%s%s%s", indent, in, p.paint(yellow, command.Clean(s.Err)))
	}
}

// text is the line, and which round of it.
func (p *printer) text(s StepRecord) string {
	if s.Round == "" {
		return command.Clean(s.Text)
	}
	return command.Clean(s.Text) + "  " + p.paint(dim, "("+s.Round+")")
}

// place is the number of the line, with the file if it was included.
func (s StepRecord) place() string {
	if s.File == "" {
		return fmt.Sprintf("%4d", s.Line)
	}
	return fmt.Sprintf("%s:%d", command.Clean(s.File), s.Line)
}

func (p *printer) Problem(what string, tail []string) {
	p.line("%s %s", p.paint(red, "FAIL"), command.Clean(what))
	for _, t := range tail {
		p.line("     | %s", command.Clean(t))
	}
}

func (p *printer) Note(what string) { p.line("%s %s", p.paint(yellow, "note"), command.Clean(what)) }

func (p *printer) Summary(r *Result) {
	for _, s := range r.Sections {
		p.line("%s", p.paint(dim, fmt.Sprintf("     %7s       section %s", command.Duration(s.Duration), command.Clean(s.Title))))
	}
	for _, m := range r.Measures {
		p.line("%s", p.paint(dim, "                   measure "+m.String()))
	}
	for _, f := range r.Floods {
		p.Note(f.String())
	}
	if len(r.Filters) > 0 {
		p.prototype(r)
	}
	word, code := "PASS", green
	if !r.OK() {
		word, code = "FAIL", red
	}
	counts := counted(len(r.Steps), "step")
	if r.Failed > 0 {
		counts += fmt.Sprintf(", %d failed", r.Failed)
	}
	if r.Skipped > 0 {
		counts += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	if n := len(r.Problems); n > 0 {
		counts += ", " + counted(n, "problem") + " with peers"
	}
	if r.Interrupted {
		counts += ", interrupted"
	}
	p.line("%s %s  %s, %s, %.1fs", p.paint(code, word), command.Clean(r.Suite), counted(r.Peers, "peer"), counts, r.Duration.Seconds())
}

// prototype is the summary as the prototype wrote it: a line per command, then one per filter.
func (p *printer) prototype(r *Result) {
	verdicts := map[Status]string{
		Passed: p.paint(green, "OK"), Failed: p.paint(red, "FAILED"), Skipped: p.paint(yellow, "SKIPPED"),
	}
	for _, s := range r.Steps {
		if s.Filter || s.Invariant {
			continue
		}
		p.line("command  %s  %s", command.Clean(s.Text), verdicts[s.Status])
	}
	for _, f := range r.Filters {
		p.line("event  %s  %s", f.Text, verdicts[f.Status])
	}
}
