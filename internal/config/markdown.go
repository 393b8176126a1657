package config

import (
	"fmt"
	"strings"

	"peerlab.example/peerlab/app"
)

// Markdown is a table of all fields, for documentation. live adds when they can change, of a role that has a console.
func (t *Table) Markdown(live bool) string {
	var b strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	extra := func(cell string) []string {
		if !live {
			return nil
		}
		return []string{cell}
	}
	row(append([]string{"field", "what it is", "kind", "default"}, extra("live")...)...)
	row(append([]string{"---", "---", "---", "---"}, extra("---")...)...)
	group := ""
	for _, f := range t.fields {
		if f.Group != group {
			group = f.Group
			row(append([]string{"**" + group + "**", "", "", ""}, extra("")...)...)
		}
		cells := []string{"`" + f.Key + "`", f.Summary, f.kindDoc(), t.defaultDoc(f)}
		row(append(cells, extra(string(f.Live))...)...)
	}
	return b.String()
}

// kindDoc names the kind, or lists the values when there are few.
func (f Field) kindDoc() string {
	if f.Kind == app.Enum {
		return strings.Join(f.Values, ", ")
	}
	return string(f.Kind)
}

func (t *Table) defaultDoc(f Field) string {
	text := f.Default
	if f.Inherit != nil {
		v := Values{table: t}.Value(f.Key)
		return fmt.Sprintf("%#q (%s)", v.Text, v.From)
	}
	if f.DefaultDoc != "" {
		text = f.DefaultDoc
	}
	if text == "" {
		return "none"
	}
	return "`" + text + "`"
}
