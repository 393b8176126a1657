package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/atomicfile"
)

// maxFile is the largest configuration that is read, in bytes. One with all fields has about two thousand.
const maxFile = 1 << 20

// Load reads and parses a configuration file.
func (t *Table) Load(path string) (Said, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return t.Parse(path, data)
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("configuration: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s: this is a directory, not a configuration", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: this is no regular file", path) // reading a pipe might never end
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: the file is larger than %d bytes, and no configuration", path, maxFile)
	}
	return data, nil
}

// Marshal is the text of a file with all fields that are not what they are by default.
func (v Values) Marshal() ([]byte, error) {
	root := &yaml.Node{
		Kind:        yaml.MappingNode,
		HeadComment: fmt.Sprintf("Configuration of %s; fields that are not here have their defaults.", v.table.role),
	}
	add := func(parent *yaml.Node, key, tag, text string) {
		parent.Content = append(parent.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text})
	}
	add(root, versionKey, "!!int", fmt.Sprint(Version))
	for _, f := range v.table.fields {
		said, ok := v.said[f.Key]
		switch {
		case !ok || said.Text == v.unsaid(f.Key).Text:
		case f.Kind == app.Bool:
			add(root, f.Key, "!!bool", said.Text)
		case f.Kind == app.Int:
			add(root, f.Key, "!!int", said.Text)
		case f.Kind == Levels:
			levels := &yaml.Node{Kind: yaml.MappingNode}
			for _, name := range f.Names {
				if level, ok := ParseLevels(said.Text)[name]; ok {
					add(levels, name, "!!str", level)
				}
			}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Key}, levels)
		default:
			add(root, f.Key, "!!str", said.Text)
		}
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(root), e.Close()); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return out.Bytes(), nil
}

// Save writes the file at once or not at all, with mode 0600. Unless force is set, it replaces only what can be
// read as a configuration of the same fields, or is empty.
func (v Values) Save(path string, force bool) error {
	data, err := v.Marshal()
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the file is replaced, not the link to it
	}
	if err := v.table.mayReplace(path, force); err != nil {
		return err
	}
	if err := atomicfile.Write(path, 0o600, true, atomicfile.Bytes(data)); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// mayReplace keeps a mistyped path from costing a file that is something else.
func (t *Table) mayReplace(path string, force bool) error {
	old, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && !force:
		return err
	case err != nil:
		if info, statErr := os.Stat(path); statErr == nil && !info.Mode().IsRegular() {
			return err // a directory or a device is never replaced
		}
		return nil
	case force || len(old) == 0:
		return nil
	}
	if _, err := t.Parse(path, old); err != nil {
		return fmt.Errorf("%s is there, and no configuration that this would replace; --force replaces it: %w", path, err)
	}
	return nil
}
