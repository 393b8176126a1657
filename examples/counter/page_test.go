package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is what the test runs.
const page = "../../docs/your-app.md"

// TestThePageIsTrue does what docs/your-app.md tells its reader, block by block: it writes the files ("```go main.go") and runs
// the commands ("```console", lines that begin with $), which must print what the page shows. There, … stands for anything,
// and on a line of its own for any lines.
func TestThePageIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := reader{t: t, dir: t.TempDir(), state: t.TempDir(), root: root}
	blocks := regexp.MustCompile("(?ms)^```(\\w+) ?(\\S*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	for _, b := range blocks {
		switch kind, file, body := b[1], b[2], b[3]; {
		case kind == "console":
			r.console(body)
		case file != "":
			r.write(file, body)
		}
	}
	if r.commands < 8 || r.files < 4 {
		t.Errorf("only %d commands and %d files were found", r.commands, r.files)
	}
}

// reader does what a page says.
type reader struct {
	t                *testing.T
	dir, state, root string
	commands, files  int
}

func (r *reader) write(name, body string) {
	r.files++
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(body), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// console runs the commands of a block.
func (r *reader) console(block string) {
	for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		r.run(command, want)
		if folder, ok := strings.CutPrefix(command, "mkdir "); ok { // the shell of the next command begins there
			name, _, _ := strings.Cut(folder, " ")
			r.dir = filepath.Join(r.dir, name)
		}
	}
}

func (r *reader) run(command, want string) {
	r.t.Helper()
	r.commands++
	cmd := exec.CommandContext(r.t.Context(), "sh", "-c", command)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PEERLAB="+r.root, "XDG_STATE_HOME="+r.state, "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if pattern := like(want); !pattern.Match(bytes.TrimRight(out, "\n")) {
		r.t.Fatalf("$ %s (%v)\n%s\nthe page says\n%s", command, err, out, want)
	}
}

// like is a page's output as a pattern.
func like(want string) *regexp.Regexp {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(want, "\n") + "\n") {
		if line == "…\n" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		b.WriteString(strings.Join(parts, ".*") + "\n")
	}
	return regexp.MustCompile(fmt.Sprintf(`\A%s\z`, strings.TrimSuffix(b.String(), "\n")))
}
