package main

import (
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"peerlab.example/peerlab/internal/deploy/fakefunctions"
)

type functionsKey struct{}

// functionsAPI is what a script knows of its Cloud Functions API.
type functionsAPI struct{ server *fakefunctions.Server }

// fakeFunctions is the command of scripts that starts and steers a Cloud Functions API in this process:
//
//	fakefunctions start [MESSAGE]   start it; $FUNCTIONS and $RUN become its endpoints; with a message, builds fail
//	fakefunctions hold              start one whose operations do not end
//	fakefunctions called METHOD     wait until that was called
func fakeFunctions(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: fakefunctions start|hold|called …")
	}
	api := ts.Value(functionsKey{}).(*functionsAPI)
	switch args[0] {
	case "start", "hold":
		var b fakefunctions.Behavior
		if args[0] == "hold" {
			b.Hold = make(chan struct{}) // which nobody closes
		}
		if len(args) > 1 {
			b.BuildError = args[1]
		}
		var err error
		api.server, err = fakefunctions.Start(b)
		ts.Check(err)
		ts.Defer(func() { ts.Check(api.server.Close()) })
		ts.Setenv("FUNCTIONS", api.server.Endpoint())
		ts.Setenv("RUN", api.server.RunEndpoint())
	case "called":
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 3000 { // half a minute
			if slices.Contains(api.server.Calls(), args[1]) {
				return
			}
			<-tick.C
		}
		ts.Fatalf("%s was not called, but %v", args[1], api.server.Calls())
	default:
		ts.Fatalf("fakefunctions %s: no such thing", args[0])
	}
}
