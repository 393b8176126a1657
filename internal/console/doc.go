// Package console runs lines: those that a person types, those of scripts, and those that come over gRPC.
// It knows no role; it is given a Backend, which is the table of the peer in this process (Local) or
// that of a peer elsewhere (Remote).
//
//	backend := console.NewLocal(executor, live)
//	err := console.RunScript(ctx, backend, "start.txt", file, os.Stdout)
//
// A script has one command a line; a # at the start of a word begins a comment. It stops at the first
// command that fails, with FILE:LINE:COLUMN in the error, and ends well at quit.
//
// The terminal is in package term.
package console
