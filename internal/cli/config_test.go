package cli

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/lab"
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
		"peer": lab.Settings(chatOnly(), checkEndpoints), "bootstrap": bootstrapSettings(&common{}),
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
	table := lab.Settings(chatOnly(), checkEndpoints)
	said, err := table.Parse("example", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Resolve(said); err != nil {
		t.Fatal(err)
	}
}

// TestKeysAreFlags checks that no flag of a role and no field of its file go without the other, but for those that
// say what the process is started for.
func TestKeysAreFlags(t *testing.T) {
	t.Parallel()
	root := newRoot(Stdio{}, chatOnly())
	for role, more := range map[string][]string{"peer": {"config", "coordinator", "coordinator-timeout", "exec", "file", "memory", "seed", "tune"}, "bootstrap": {"config"}} {
		cmd, _, err := root.Find([]string{role})
		if err != nil {
			t.Fatal(err)
		}
		table := bootstrapSettings(&common{})
		if role == "peer" {
			table = lab.Settings(chatOnly(), checkEndpoints)
		}
		want := slices.Concat(more, table.Keys())
		var got []string
		for line := range strings.Lines(cmd.Flags().FlagUsagesWrapped(0)) {
			_, name, ok := strings.Cut(line, "--")
			if name, _, _ = strings.Cut(name, " "); ok {
				got = append(got, strings.TrimSpace(name))
			}
		}
		for _, f := range table.Fields() {
			if f.Hidden && cmd.Flags().Lookup(f.Key) != nil {
				got = append(got, f.Key)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", role, d)
		}
	}
}
