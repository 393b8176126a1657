package testcoord

import (
	"fmt"
	"io"

	"peerlab.example/peerlab/internal/command"
)

// printer writes what a person watches. Everything from peers and files is cleaned on its way.
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

func (p *printer) heading(title string) { p.line("%s", p.paint(bold, "== "+command.Clean(title))) }

// step is "ok   12ms  3  alice init", and below it the details.
func (p *printer) step(s StepRecord) {
	code := green
	if s.Status == Failed {
		code = red
	}
	p.line("%s %7s %4d  %s", p.paint(code, fmt.Sprintf("%-4s", s.Status)), command.Duration(s.Duration), s.Line, command.Clean(s.Text))
	if s.Err != "" {
		p.line("%s%s", indent, p.paint(red, command.Clean(s.Err)))
	}
	for _, d := range s.Details {
		if d != s.Err {
			p.line("%s%s", indent, command.Clean(d))
		}
	}
}

func (p *printer) problem(what string, tail []string) {
	p.line("%s %s", p.paint(red, "FAIL"), command.Clean(what))
	for _, t := range tail {
		p.line("     | %s", command.Clean(t))
	}
}

// summary is the last thing that is written.
func (p *printer) summary(r *Result, filters []*pendingFilter) {
	for _, s := range r.Sections {
		p.line("%s", p.paint(dim, fmt.Sprintf("     %7s       section %s", command.Duration(s.Duration), command.Clean(s.Title))))
	}
	if len(filters) > 0 {
		p.prototype(r, filters)
	}
	word, code := "PASS", green
	if !r.OK() {
		word, code = "FAIL", red
	}
	counts := fmt.Sprintf("%d steps", len(r.Steps))
	if r.Failed > 0 {
		counts += fmt.Sprintf(", %d failed", r.Failed)
	}
	if r.Skipped > 0 {
		counts += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	if n := len(r.Problems); n > 0 {
		counts += fmt.Sprintf(", %d problems with peers", n)
	}
	if r.Interrupted {
		counts += ", interrupted"
	}
	p.line("%s %s  %d peers, %s, %.1fs", p.paint(code, word), command.Clean(r.Suite), r.Peers, counts, r.Duration.Seconds())
}

// prototype is the summary as the prototype wrote it: a line per command, then one per filter.
func (p *printer) prototype(r *Result, filters []*pendingFilter) {
	verdicts := map[Status]string{
		Passed: p.paint(green, "OK"), Failed: p.paint(red, "FAILED"), Skipped: p.paint(yellow, "SKIPPED"),
	}
	for _, s := range r.Steps[:len(r.Steps)-len(filters)] {
		p.line("command  %s  %s", command.Clean(s.Text), verdicts[s.Status])
	}
	for _, f := range filters {
		p.line("event  %s  %s", f.text, verdicts[f.record.Status])
	}
}
