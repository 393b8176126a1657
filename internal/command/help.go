package command

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"peerlab.example/peerlab/app"
)

// Synopsis is how a command is called: NAME ARG [OPTIONAL…] [--flag VALUE].
func Synopsis(s *app.Spec) string {
	var b strings.Builder
	b.WriteString(s.Name)
	for _, p := range s.Params {
		name := strings.ToUpper(p.Name)
		if values := fewValues(p.Kind, p.Values); values != "" {
			name = values
		}
		if p.Repeated || takesLine(p) {
			name += "…"
		}
		if p.Optional {
			name = "[" + name + "]"
		}
		b.WriteString(" " + name)
	}
	for _, f := range s.Flags {
		b.WriteString(" [" + flagName(f))
		if f.Kind != app.Bool {
			b.WriteString(" " + cmp.Or(fewValues(f.Kind, f.Values), strings.ToUpper(string(f.Kind))))
		}
		b.WriteString("]")
	}
	return b.String()
}

// mostValues is how many values a synopsis names; what has more is named by itself, and completion tells of the values.
const mostValues = 8

// fewValues are the values of an Enum, if there are so few that a synopsis can name them.
func fewValues(kind app.Kind, values []string) string {
	if kind != app.Enum || len(values) > mostValues {
		return ""
	}
	return strings.Join(values, "|")
}

// flagName is how a flag is written.
func flagName(f app.Flag) string {
	if f.Short == "" {
		return "--" + f.Name
	}
	return "-" + f.Short + ", --" + f.Name
}

// Groups are the headings of the table in the order of registration.
func (t *Table) Groups() []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range t.specs {
		if !seen[s.Group] {
			seen[s.Group] = true
			out = append(out, s.Group)
		}
	}
	return out
}

// InGroup are the commands under a heading.
func (t *Table) InGroup(group string) []*app.Spec {
	var out []*app.Spec
	for _, s := range t.specs {
		if s.Group == group {
			out = append(out, s)
		}
	}
	return out
}

// widest is the longest call that stands before its summary in one line, so that both fit in a window of 80 or so.
const widest = 30

// Overview is the text of "help": one line per command, by group; only one group unless group is "".
func (t *Table) Overview(group string) string {
	width := 0
	for _, s := range t.specs {
		if n := utf8.RuneCountInString(short(s)); n <= widest {
			width = max(width, n)
		}
	}
	var b strings.Builder
	for _, g := range t.Groups() {
		if group != "" && g != group {
			continue
		}
		fmt.Fprintf(&b, "%s\n", g)
		for _, s := range t.InGroup(g) {
			text := short(s)
			gap := width - utf8.RuneCountInString(text)
			if gap < 0 { // the summary goes below
				text, gap = text+"\n  ", width
			}
			fmt.Fprintf(&b, "  %s%s  %s\n", text, strings.Repeat(" ", gap), s.Summary)
		}
	}
	return b.String()
}

// short is the synopsis without flags.
func short(s *app.Spec) string {
	bare := *s
	bare.Flags = nil
	return Synopsis(&bare)
}

// Describe is the text of "help NAME".
func Describe(s *app.Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s\n", Synopsis(s), s.Summary)
	if s.Detail != "" {
		fmt.Fprintf(&b, "\n  %s\n", strings.ReplaceAll(strings.TrimSpace(s.Detail), "\n", "\n  "))
	}
	if len(s.Flags) > 0 {
		b.WriteString("\n")
		for _, f := range s.Flags {
			fmt.Fprintf(&b, "  %-16s %s%s\n", flagName(f), f.Summary, defaultText(f))
		}
	}
	fmt.Fprintf(&b, "\nexample\n  %s\n", s.Example)
	if len(s.Aliases) > 0 {
		fmt.Fprintf(&b, "aliases\n  %s\n", strings.Join(s.Aliases, ", "))
	}
	return b.String()
}

func defaultText(f app.Flag) string {
	if f.Default == "" || f.Kind == app.Bool {
		return ""
	}
	return " (default " + f.Default + ")"
}

// Markdown is the whole table as HELP.md.
func (t *Table) Markdown() string {
	var b strings.Builder
	for _, g := range t.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", g)
		for _, s := range t.InGroup(g) {
			fmt.Fprintf(&b, "\n### `%s`\n\n%s.\n", Synopsis(s), s.Summary)
			if s.Detail != "" {
				fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(s.Detail))
			}
			if len(s.Flags) > 0 {
				b.WriteString("\n| flag | meaning |\n| --- | --- |\n")
				for _, f := range s.Flags {
					fmt.Fprintf(&b, "| `%s` | %s%s |\n", flagName(f), f.Summary, defaultText(f))
				}
			}
			fmt.Fprintf(&b, "\nExample: `%s`", s.Example)
			if len(s.Aliases) > 0 {
				fmt.Fprintf(&b, " · also: `%s`", strings.Join(s.Aliases, "`, `"))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
