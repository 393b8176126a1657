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
// # The language, first part
//
// One line is one step. Its first word says who, the rest is what.
//
//	# …                                  a comment, also at the end of a line
//	suite "…"   tags …   timeout D   profile P   seed N   the header, all optional
//	peers alice bob p[1..50]             declares peers; without it the first use of a name does
//	invariant NAME [within D]            must hold over the whole run; see package invariant
//	section "…"                          groups steps, with a time
//	WHO [within D] COMMAND …             a console command, at all of WHO in parallel; 30s unless it says otherwise
//	! WHO …    ? WHO …                   the command must fail; it may fail
//	expect WHO [within D] PREDICATE      must become true; within 5s unless it says otherwise
//	expect WHO never D PREDICATE         must not become true for that long
//	lab sleep D                          the coordinator waits
//	lab kill|stop|restart WHO            ends a peer (SIGKILL; asked to leave), or stops it and starts it again
//	lab freeze|thaw WHO                  stops a peer's process, and lets it go on
//	lab partition|latency|loss|duplicate|reorder|bandwidth …    a rule of the network, in the words of network.ParseRule
//	lab heal [A B]                       lifts all rules, or what is between two
//	lab bootstrap stop|start|wipe        ends the bootstrap service, starts it again, makes it forget everything
//	lab bootstrap slow D                 delays its answers
//	WHO testfilter messagesView N TEXT   by the end of the run exactly N chat lines at WHO begin with TEXT
//
// WHO is a name, a comma list without blanks, p[1..3], or all: every peer that the suite has not
// ended. A peer that ends although the suite did not ask for it fails the run. "? WHO" forgives an error of the
// command, never a peer that died or a command that hangs.
//
// PREDICATE is one of
//
//	members alive|suspect|left|lost OP N       names in that state in the peer's own view; OP is = != >= <=
//	members include|exclude NAME               whether that peer is alive in the view
//	event KIND [field=value|field~regexp …] [x [>=] N]
//	output = TEXT    output ~ /RE/             what the last command wrote there, without the last line end
//	json PATH OP VALUE    json PATH ~ /RE/     its result; PATH is ., name, [0].name, a.b
//	roster size OP N                           as the bootstrap service has it
//
// A predicate over several peers is true when it holds at all of them at once; with never, it is true
// when it holds at one. The events of a peer count from the start of the run, over all its restarts; with never,
// from the start of the step. "event" without a number wants one or more, "x N" exactly N: it must
// then still hold after a short settling, so that one too many is seen. KIND and fields are those of the event
// schema, or a kind that an application chose; one that looks like a kind of the schema is said
// as "event custom kind=NAME …". Regular expressions match anywhere in the text.
//
// A command is over when it has ended and all events that its peer had logged by then have arrived:
// what follows sees them. Where events were lost on the way, exact counts and never fail rather than guess.
package testcoord
