// Package testcoord is the coordinator of multi-peer tests: it reads a suite, starts its peers, runs
// one line after the other at the peers it names, and judges what they say.
//
//	suite, err := testcoord.Parse("first.lab", src, table)   // everything is checked here, nothing is started
//	c := testcoord.New(suite, testcoord.Options{Runner: runner, Out: os.Stdout})
//	testcoordv1.RegisterCoordinatorServiceServer(server, c)  // the peers attach here
//	result, err := c.Run(ctx)
//
// A peer's side is Attach: one stream that carries commands in one direction, and output, ends of
// commands and the peer's event log in the other. The coordinator is the only scheduler, and sees
// a peer through this stream alone.
//
// # The language
//
// The manual of the language is docs/suites.md; tests of this package check that it has each word, and that what it shows is right.
// A kind of line is a type, an action, in a file step_*.go of its own, together with the method of the parser that reads it; what an
// expectation wants is a predicate. The words that begin lines are in the one table in parse.go. Two rules hold everywhere:
//
//   - A line is parsed and checked before anything starts. One with variables whose values only the run knows is tried with values of
//     several kinds, and read again when it is run: see bind.go.
//   - A command is over when it has ended and all events that its peer had logged by then have arrived: what follows sees
//     them. Where events were lost on the way, exact counts, always and never fail rather than guess.
package testcoord
