// Package peerlab turns a program into a lab for its own peer-to-peer application: one binary that is
// the bootstrap service, a peer with a console, and the coordinator of multi-peer tests.
//
//	func main() {
//		peerlab.Main(func() app.App { return mine.New() })
//	}
//
// See package app for what an application is, and cmd/peerlab for the one with the chat.
package peerlab

import (
	"os"

	"peerlab.example/peerlab/app"
)

// Main runs the command line of the process and exits: 0 on success, 1 when a command or an
// expectation failed, 2 when the command line or a suite cannot be read, 3 when an address cannot
// be bound or reached, 130 and 143 when a script, a console or a run was interrupted; a service or a peer that
// serves until a signal ends with 0. Each of apps makes a new value of one application.
func Main(apps ...func() app.App) {
	os.Exit(Run(os.Args[1:], apps...))
}

// Run is Main without the exit.
func Run(args []string, apps ...func() app.App) int {
	return run(args, apps)
}
