// Package ptytest runs a program on a terminal of its own for tests, and sees its screen as a user does.
//
//	term := ptytest.Start(t, exec.Command("peerlab", "peer"), 24, 80)
//	term.Send("member list\r")
//	term.See("alice")
//	term.Ends(0)
//
// The terminal is a real one of the system, so that modes, signals and sizes are real too; its screen is emulated by
// vt10x, which, unlike most terminals, does not wrap lines anew when the window gets another size.
package ptytest
