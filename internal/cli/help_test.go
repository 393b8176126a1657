package cli

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/lab"
)

var update = flag.Bool("update", false, "write HELP.md anew")

const helpHead = `# Console commands

Every command that a peer with the chat knows, as its console, scripts, suites and the Exec RPC take it.
This page is generated from the table of commands: ` + "`task generate`" + `.

In front of each name a slash is allowed, and names of two words may be written as one: ` + "`/memberlist`" + `
is ` + "`member list`" + `. A word with blanks stands in quotes. In scripts and suites a # begins a comment.
`

func TestHelpPageIsUpToDate(t *testing.T) {
	t.Parallel()
	table, err := lab.Table([]func() app.App{func() app.App { return chat.New() }})
	if err != nil {
		t.Fatal(err)
	}
	want := helpHead + table.Markdown()
	const path = "../../HELP.md"
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("HELP.md is not that of the table (-want +got); task generate writes it:\n%s", d)
	}
}
