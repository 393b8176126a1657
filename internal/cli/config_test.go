package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/config"
)

func chatOnly() []func() app.App { return []func() app.App{func() app.App { return chat.New() }} }

// TestConfigurationPageIsUpToDate compares what stands between the two marks of each table.
func TestConfigurationPageIsUpToDate(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for role, table := range map[string]*config.Table{
		"peer": peerSettings(&common{}, chatOnly()), "bootstrap": bootstrapSettings(&common{}),
	} {
		begin := "<!-- begin: settings of peerlab " + role + "; task generate -->\n"
		head, rest, ok := strings.Cut(page, begin)
		got, tail, ok2 := strings.Cut(rest, "<!-- end -->")
		if !ok || !ok2 {
			t.Fatalf("the page has no marks for the settings of %s", role)
		}
		want := "\n" + table.Markdown(role == "peer") + "\n"
		if d := cmp.Diff(want, got); d != "" && !*update {
			t.Errorf("%s: not that of the table (-want +got); task generate writes it:\n%s", role, d)
		}
		page = head + begin + want + "<!-- end -->" + tail
	}
	if *update && page != string(data) {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExampleIsRight loads the file that the page shows.
func TestExampleIsRight(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	table := peerSettings(&common{}, chatOnly())
	said, err := table.Parse("example", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Resolve(said); err != nil {
		t.Fatal(err)
	}
}
