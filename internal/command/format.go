package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"peerlab.example/peerlab/app"
)

// Format is how results are written. The zero value is FormatTable.
type Format string

// The formats of results.
const (
	// FormatTable is for people: aligned columns.
	FormatTable Format = "table"
	// FormatJSON is one line of JSON for a result.
	FormatJSON Format = "json"
	// FormatJSONL is one line of JSON for each row of a table, and one for any other result.
	FormatJSONL Format = "jsonl"
	// FormatYAML is YAML; each result is a document of its own.
	FormatYAML Format = "yaml"
)

// Formats are the names of all formats.
func Formats() []string {
	return []string{string(FormatTable), string(FormatJSON), string(FormatJSONL), string(FormatYAML)}
}

// ParseFormat checks the name of a format; "" is the table.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return FormatTable, nil
	}
	for _, f := range Formats() {
		if f == name {
			return Format(f), nil
		}
	}
	return "", fmt.Errorf("%q is none of %s", name, strings.Join(Formats(), ", "))
}

// Render writes a result. A nil result writes nothing.
func Render(w io.Writer, result any, f Format) error {
	if result == nil {
		return nil
	}
	switch f {
	case FormatJSON:
		return renderJSON(w, result)
	case FormatJSONL:
		return renderRows(w, result)
	case FormatYAML:
		return renderYAML(w, result)
	case FormatTable:
	}
	return Text(w, result)
}

func renderJSON(w io.Writer, result any) error {
	text, err := JSON(result)
	if err == nil {
		_, err = io.WriteString(w, text+"\n")
	}
	return err
}

func renderRows(w io.Writer, result any) error {
	t, ok := result.(app.Table)
	if p, isPointer := result.(*app.Table); isPointer {
		t, ok = *p, true
	}
	if !ok {
		return renderJSON(w, result)
	}
	for _, row := range t.Rows {
		if err := renderJSON(w, asRecord(t.Columns, row)); err != nil {
			return err
		}
	}
	return nil
}

// renderYAML goes by way of JSON, which is YAML too, so that both always say the same.
func renderYAML(w io.Writer, result any) error {
	text, err := JSON(result)
	if err != nil {
		return err
	}
	node, err := yamlNode(json.NewDecoder(strings.NewReader(text)))
	if err != nil {
		return fmt.Errorf("result as YAML: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("---\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return fmt.Errorf("result as YAML: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// yamlNode reads one value of JSON, with the fields of objects in their order.
func yamlNode(d *json.Decoder) (*yaml.Node, error) {
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		n := &yaml.Node{}
		if number, isNumber := t.(json.Number); isNumber {
			n.Kind, n.Value = yaml.ScalarNode, number.String()
			return n, nil
		}
		return n, n.Encode(t)
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if delim == '{' {
		n.Kind = yaml.MappingNode
	}
	for d.More() { // for an object, a key and a value by turns
		part, err := yamlNode(d)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, part)
	}
	_, err = d.Token() // the closing bracket
	return n, err
}
