// Package report tells what a run was like: as JUnit XML, as TAP, as JSON lines, as one page of HTML that needs no
// network, and as the same page while the run goes on.
//
// A Run is all that is known. It holds no reference into the coordinator, which fills it and knows this
// package; this package knows only events. Everything in a Run that came from a peer, such as names, texts and
// errors, is taken for hostile by each writer.
//
//	run := &report.Run{Suite: "heal", Peers: []string{"alice", "bob"}, Events: events}
//	err := report.Write(run, "out") // run.json events.jsonl junit.xml report.tap report.html
//	again, err := report.Read("out") // for the writers of a later version
//
// Vocabulary: the run's axis is the time since its start, in the coordinator's clock (Align puts the clocks of peers
// on it); a life is one process of a peer; a block is a piece of the event log as the page reads it.
package report
