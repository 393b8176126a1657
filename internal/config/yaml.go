package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"peerlab.example/peerlab/app"
)

// Version is the version of the form of configuration files that is written, and the newest that is read.
const Version = 1

const versionKey = "version"

// yamlError takes apart what the YAML parser says. It tells no column.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// Parse reads a configuration file. name begins the messages. With any problem, nothing is said.
func (t *Table) Parse(name string, data []byte) (Said, error) {
	root, err := document(name, data)
	if err != nil {
		return nil, err
	}
	p := parser{table: t, name: name, said: Said{}}
	if err := p.version(root); err != nil {
		return nil, err
	}
	lines := map[string]int{}
	for i := 2; i < len(root.Content); i += 2 {
		key := root.Content[i]
		if first, twice := lines[key.Value]; twice && key.Kind == yaml.ScalarNode {
			p.problem(key, "%s stands in line %d already", key.Value, first)
			continue
		}
		lines[key.Value] = key.Line
		p.field(key, root.Content[i+1])
	}
	if err := p.problems.err(); err != nil {
		return nil, err
	}
	return p.said, nil
}

// document is the mapping that a file has to be.
func document(name string, data []byte) (*yaml.Node, error) {
	if i := bytes.IndexByte(data, 0); i >= 0 || !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: this is not text, and no configuration", name)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: the file is empty; a configuration begins with \"version: %d\"", name, Version)
	case err != nil:
		return nil, notYAML(name, err)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: here stands %s; a configuration is lines of \"key: value\", the first of them \"version: %d\"",
			place(name, root), describe(root), Version)
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: only one YAML document may be in the file", name)
	}
	return root, nil
}

// notYAML gives an error of the YAML parser its place.
func notYAML(name string, err error) error {
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if line, err := strconv.Atoi(m[1]); err == nil {
		if strings.HasPrefix(m[2], "did not find expected") {
			line++ // go.yaml.in/yaml v3.0.6, decode.go, fail: lines of the scanner are counted from 1, these from 0
		}
		name += ":" + strconv.Itoa(line)
	}
	return fmt.Errorf("%s: not YAML: %s", name, m[2])
}

func place(name string, n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", name, n.Line, n.Column) }

// describe says what a value is that should be another.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return quote(n.Value)
}

// parser collects what a file says, and what is wrong with it.
type parser struct {
	table    *Table
	name     string
	said     Said
	problems Problems
}

func (p *parser) problem(n *yaml.Node, format string, args ...any) {
	p.problems.addf("%s: %w", place(p.name, n), fmt.Errorf(format, args...))
}

// version checks the first line. Of a file of another version nothing else is said: it may mean other things.
func (p *parser) version(root *yaml.Node) error {
	if len(root.Content) == 0 || root.Content[0].Value != versionKey {
		return fmt.Errorf("%s: a configuration begins with \"version: %d\"", place(p.name, root), Version)
	}
	v := root.Content[1]
	var n int
	if v.Tag != "!!int" || v.Decode(&n) != nil || n < 1 {
		return fmt.Errorf("%s: version is %s; it must be %d", place(p.name, v), describe(v), Version)
	}
	if n > Version {
		return fmt.Errorf("%s: version %d is newer than this peerlab knows, which is %d; use a newer peerlab", place(p.name, v), n, Version)
	}
	return nil
}

func (p *parser) field(key, value *yaml.Node) {
	if key.Kind != yaml.ScalarNode {
		p.problem(key, "here stands %s where a key should be", describe(key))
		return
	}
	f, err := p.table.field(key.Value)
	if err != nil {
		p.problem(key, "unknown key %s%s", quote(key.Value), p.table.hint(key.Value))
		return
	}
	text, ok := p.text(f, value)
	if !ok {
		return
	}
	text, err = f.parse(text)
	if err != nil {
		p.problem(value, "%s: %w", f.Key, err)
		return
	}
	p.said[f.Key] = Value{Text: text, Layer: File, From: place(p.name, key)}
}

// text is the value of a field as it would be typed.
func (p *parser) text(f Field, n *yaml.Node) (string, bool) {
	if f.Kind == Levels && n.Kind == yaml.MappingNode {
		return p.levels(f, n)
	}
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		p.problem(n, "%s: here stands %s where %s should be", f.Key, describe(n), kindName(f.Kind))
	case strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") || n.Tag == "!!binary":
		p.problem(n, "%s: the tag %s is not allowed", f.Key, quote(n.Tag))
	case n.Anchor != "":
		p.problem(n, "%s: the anchor %s is not allowed", f.Key, quote(n.Anchor))
	default:
		return n.Value, true
	}
	return "", false
}

// levels is a mapping as text.
func (p *parser) levels(f Field, n *yaml.Node) (string, bool) {
	before := len(p.problems)
	said := map[string]string{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		_, twice := said[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode:
			p.problem(value, "%s: here stands %s where a level should be", f.Key, describe(value))
		case twice:
			p.problem(key, "%s: %s has two levels", f.Key, quote(key.Value))
		default:
			if err := oneOf(key.Value, f.Names); err != nil {
				p.problem(key, "%s: %w", f.Key, err)
			}
			if err := oneOf(value.Value, f.Values); err != nil {
				p.problem(value, "%s: %w", f.Key, err)
			}
			said[key.Value] = value.Value
		}
	}
	return FormatLevels(said), len(p.problems) == before
}

func kindName(kind app.Kind) string {
	switch kind {
	case app.Bool:
		return "true or false"
	case app.Int:
		return "a whole number"
	case app.Duration:
		return "a duration such as 300ms"
	case app.Enum:
		return "a word"
	case Levels:
		return "a mapping of names to levels"
	default:
		return "text"
	}
}
