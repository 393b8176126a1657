package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
)

// drawSaid draws something that one source may say of the fields of the table.
func drawSaid(t *rapid.T, table *Table) Said {
	said := Said{}
	for _, f := range table.Fields() {
		if !rapid.Bool().Draw(t, "set "+f.Key) {
			continue
		}
		var text string
		switch f.Kind {
		case app.Bool:
			text = rapid.SampledFrom([]string{"true", "false", "1", "F"}).Draw(t, f.Key)
		case app.Int:
			text = rapid.StringMatching(`[0-9]{1,2}`).Draw(t, f.Key)
		case app.Duration:
			text = rapid.StringMatching(`([0-9]{1,2}h)?([0-9]{1,2}m)?[0-9]{1,3}(\.[0-9]{1,9})?s`).Draw(t, f.Key)
		case app.Enum:
			text = rapid.SampledFrom(f.Values).Draw(t, f.Key)
		case Levels:
			text = FormatLevels(rapid.MapOf(rapid.SampledFrom(f.Names), rapid.SampledFrom(f.Values)).Draw(t, f.Key))
		default:
			text = rapid.OneOf(
				rapid.String(), rapid.SampledFrom([]string{"true", "1", "1.5", "~", "null", "a: b", "- a", "#x", "'", `"`, " x ", "*a", "&a", "!x", "{", "2026-01-01", "<<", "\u2028", "\ufeff", "%", "@"}),
			).Draw(t, f.Key)
		}
		value, err := f.parse(text)
		if err != nil {
			continue
		}
		said[f.Key] = Value{Text: value, Layer: Flag, From: "--" + f.Key}
	}
	return said
}

// TestSavedIsLoaded checks that what is saved is what is loaded, and that saving that again writes the same bytes.
func TestSavedIsLoaded(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	table.check = nil
	path := filepath.Join(t.TempDir(), "peer.yaml")
	rapid.Check(t, func(t *rapid.T) {
		v, err := table.Resolve(drawSaid(t, table))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Save(path, false); err != nil {
			t.Fatal(err)
		}
		first, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		said, err := table.Load(path)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		loaded, err := table.Resolve(said)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range table.Keys() {
			if v.Get(key) != loaded.Get(key) {
				t.Errorf("%s was %q and is %q\n%s", key, v.Get(key), loaded.Get(key), first)
			}
		}
		if err := loaded.Save(path, false); err != nil {
			t.Fatal(err)
		}
		if second, err := os.ReadFile(path); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%v:\n%s", err, cmp.Diff(string(first), string(second)))
		}
	})
}

// TestNoFilePanics checks that whatever stands in a file leads to values or to an error.
func TestNoFilePanics(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	parts := append(table.Keys(), "version: 1\n", ": ", "\n", "- ", "  ", "[", "]", "{", "}", "&a ", "*a", "!!binary ", "!!str ", "?", "|\n", ">", "'", `"`, "<<", "true", "1", "~", "\x00", "\xff", "---\n", "debug", "...")
	rapid.Check(t, func(t *rapid.T) {
		data := []byte("version: 1\n")
		for _, part := range rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(parts), rapid.String()), 0, 20).Draw(t, "parts") {
			data = append(data, part...)
		}
		said, err := table.Parse("f", data)
		if (said == nil) == (err == nil) {
			t.Errorf("said %v, error %v", said, err)
		}
	})
}
