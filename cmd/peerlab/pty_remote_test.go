//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"strings"
	"syscall"
	"testing"

	"peerlab.example/peerlab/internal/console/term/ptytest"
)

// Several consoles on one peer, and the peer's own, are used at once; what one does is no matter of the others.
func TestSeveralConsoles(t *testing.T) {
	t.Parallel()
	alice, bob := twoPeers(t, 24, 90)
	m := address.FindStringSubmatch(alice.Output())
	if m == nil {
		t.Fatalf("no address in %q", alice.Output())
	}
	open := func() *ptytest.Terminal {
		c := atTerminal(t, 24, 90, "troubled", "console", m[1])
		c.See("alice@" + m[1] + " (2 alive)>")
		return c
	}
	first, second, third := open(), open(), open()
	name := "alice@" + m[1]

	first.Send("trouble hang\r")
	first.See("\nhanging")
	second.Send("set n mine\recho it is $n\r")
	second.See("\nit is mine")
	third.Send("echo it is $n\r")
	third.See("unknown variable $n")
	third.Send("member info b")
	third.See("bob  alive")
	bob.Send("msg to all of you\r")
	third.Until("the message above the line and its offers", func(screen string) bool {
		return strings.Contains(screen, "<bob> to all of you\n"+name+" (2 alive)> member info b\n")
	})
	alice.See("<bob> to all of you")

	first.Send("\x03") // cancels the command over there
	first.See("interrupted")
	first.Until("a prompt", atPrompt(name, ""))
	second.Until("a prompt", atPrompt(name, ""))
	second.Send("trouble panic\r")
	second.See("error: the command panicked: it was no mistake")
	second.Send("quit\r") // ends the console, not the peer
	second.Ends(0)
	first.Send("\x04")
	first.Ends(0)
	third.Signal(syscall.SIGTERM)
	third.Ends(143)
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("quit\r")
	alice.Ends(0)
}

// A console whose peer ends says so, and can still be left.
func TestConsoleOfAPeerThatIsGone(t *testing.T) {
	t.Parallel()
	alice, _ := twoPeers(t, 24, 90)
	m := address.FindStringSubmatch(alice.Output())
	if m == nil {
		t.Fatalf("no address in %q", alice.Output())
	}
	c := atTerminal(t, 24, 90, "peerlab", "console", m[1])
	c.See("(2 alive)>")
	c.Send("sleep 1h\r")
	alice.Until("a prompt", atPrompt("alice", ""))
	alice.Send("quit\r")
	alice.Ends(0)
	c.See("error: ")
	c.Send("quit\r")
	c.Ends(0)
}
