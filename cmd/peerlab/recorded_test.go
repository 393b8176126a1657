//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/console/term/ptytest"
)

var update = flag.Bool("update", false, "record docs/console-session.md again")

// scene is a part of the recorded session: what is typed, and, where the line is not finished, what the screen shows then.
type scene struct {
	title string
	lines []string // each is typed with Enter
	typed string   // typed without Enter, at the end
	shows string   // waited for after typed
}

var scenes = []scene{
	{title: "Offers come from the running peer. A group of commands …", typed: "member in", shows: "show all that is known"},
	{title: "… and its members", typed: "member info b", shows: "bob  alive"},
	{title: "A slip is understood", lines: []string{"mesg hello", "member inof bob", "member list --stat alive", `echo "never closed`}},
	{title: "Say something. What others say stands above the line", lines: []string{"msg hello bob"}},
	{title: "Results can be captured, and variables used", lines: []string{"n = member count", "echo $n of us, and '$n' is text", "set greeting \"good morning\"", "msg $greeting"}},
	{title: "Piped, written to files, and in the format that a program likes", lines: []string{
		"member list | grep -c alive", "member count > count.txt", "shell cat count.txt", "set output yaml", "log level", "set output json", "member count", "set output table",
	}},
	{title: "Keys and values that every member holds a copy of", lines: []string{"broadcast add colour light blue", "broadcast add shape round", "broadcast del shape", "watch -n 100ms -c 2 broadcast list"}},
	{title: "Short names, time, history", lines: []string{"alias who = member list --state", "time who lost", "history alias", "!alias"}},
	{title: "The log, the configuration, what can be changed now", lines: []string{"log level error", "log component membership disabled", "config show log-level --origin", "config set gossip-nodes 4", "config set listen 127.0.0.1:1"}},
	{title: "Help", lines: []string{"help watch", "groups"}},
}

// TestRecordedSession types a session into a real peer on a real terminal, and compares what its screen shows with the page
// in docs. Record it again with: go test ./cmd/peerlab -run RecordedSession -update
func TestRecordedSession(t *testing.T) {
	t.Parallel()
	boot := startBootstrap(t)
	alice := atTerminal(t, 250, 100, "peerlab", "peer", "--bootstrap", boot, "--name", "alice", "--log-level", "error")
	alice.See("alice (1 alive)>")
	bob := atTerminal(t, 24, 90, "peerlab", "peer", "--bootstrap", boot, "--name", "bob")
	bob.See("bob (2 alive)>")
	alice.Until("bob in the chat", func(screen string) bool {
		return strings.Contains(screen, "* bob joined") && atPrompt("alice", "")(screen)
	})
	var page strings.Builder
	page.WriteString(recordedHead)
	from := 0
	for _, s := range scenes {
		from = record(alice, &page, s, from)
	}
	got := masked(page.String())
	const file = "../../docs/console-session.md"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s is not what the console shows now (-page +now):\n%s", file, d)
	}
	for _, peer := range []*ptytest.Terminal{alice, bob} {
		peer.Send("quit\r")
		peer.Ends(0)
	}
}

const recordedHead = `# A session, recorded

Typed into a running peer on a real terminal by a test (` + "`TestRecordedSession` in cmd/peerlab" + `), which fails when the console shows something
else; times and ports are masked. alice and bob run beside a bootstrap service. What each part is for is in
[console.md](console.md).
`

// record plays a scene, and appends the lines of the screen from that line on. It returns where the next scene begins.
func record(p *ptytest.Terminal, page *strings.Builder, s scene, from int) (next int) {
	for _, line := range s.lines {
		p.Send(line + "\r")
		p.Until("the prompt after "+line, func(screen string) bool {
			return strings.Contains(screen, "> "+line) && atPrompt("alice", "")(screen)
		})
	}
	if s.typed != "" {
		p.Send(s.typed)
		p.See(s.shows)
	}
	lines := strings.Split(p.Screen(), "\n")
	if s.typed != "" {
		p.Send("\x15")
		p.Until("an empty line", atPrompt("alice", ""))
		next = len(strings.Split(p.Screen(), "\n")) - 1
	} else {
		next = len(lines) - 1
		lines = lines[:next] // without the empty prompt
	}
	page.WriteString("\n## " + s.title + "\n\n```console\n" + strings.Join(lines[from:], "\n") + "\n```\n")
	return next
}

// masked puts the same in place of what differs from one session to the next.
func masked(page string) string {
	for _, m := range []struct{ pattern, mask string }{
		{`127\.0\.0\.1:\d{4,5}`, "127.0.0.1:PORT"},
		{`\b\d\d:\d\d:\d\d(\.\d{3})?\b`, "12:00:00"},
		{`\b\d+(\.\d+)?(µs|ms|s)$`, "0.4ms"},
		{`( +bob  alive).*`, "$1, 0.4ms"}, // the round trip is not known at once
	} {
		page = regexp.MustCompile("(?m)"+m.pattern).ReplaceAllString(page, m.mask)
	}
	return page
}
