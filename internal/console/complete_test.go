package console

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"peerlab.example/peerlab/internal/command"
)

func TestCompletionThatPanicsOffersNothing(t *testing.T) {
	t.Parallel()
	b, _, _ := newTestBackend(t)
	if offers, _ := b.Complete(context.Background(), "trap ", 5); len(offers) != 0 {
		t.Errorf("offers %v", offers)
	}
	if o := b.Execute(context.Background(), "trap x", io.Discard); o.Err != nil {
		t.Error(o.Err)
	}
}

func TestCompleteFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/"
	for _, name := range []string{"a.txt", "a b.txt", ".hidden", "bad\x1bname"} {
		if err := os.WriteFile(dir+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "afolder"), 0o700); err != nil {
		t.Fatal(err)
	}
	b, _, _ := newTestBackend(t)
	for prefix, want := range map[string][]string{
		"a":    {command.Quote(dir + "a b.txt"), dir + "a.txt", dir + "afolder/"},
		"":     {command.Quote(dir + "a b.txt"), dir + "a.txt", dir + "afolder/"},
		".":    {dir + ".hidden"},
		"none": nil,
		"x/y":  nil,
	} {
		for _, before := range []string{"execute ", "help > "} {
			line := before + dir + prefix
			offers, start := b.Complete(context.Background(), line, len(line))
			var got []string
			for _, o := range offers {
				got = append(got, o.Text)
			}
			slices.Sort(got)
			if start != len(before) || !slices.Equal(got, want) {
				t.Errorf("%q: offers %q from %d, want %q", line, got, start, want)
			}
		}
	}
}

// A second kind is offered behind a comma, and none twice; each is taken.
func TestCompleteKindsOfEvents(t *testing.T) {
	t.Parallel()
	b, _, _ := newTestBackend(t)
	for line, want := range map[string][]string{
		"events on kind=join":             {"kind=joined"},
		"events on kind=joined,le":        {"kind=joined,left"},
		"events on kind=joined,left,lost": {"kind=joined,left,lost"},
		"events on left kind=left,joi":    {"kind=left,joined"},
		"events on joined,jo":             nil,
		"events off kind=joined,le":       nil,
	} {
		offers, _ := b.Complete(context.Background(), line, len(line))
		var got []string
		for _, o := range offers {
			got = append(got, o.Text)
			if err := knownKinds(strings.Split(strings.TrimPrefix(o.Text, "kind="), ",")); err != nil {
				t.Errorf("%q: offers %q: %v", line, o.Text, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: offers %q, want %q", line, got, want)
		}
	}
}
