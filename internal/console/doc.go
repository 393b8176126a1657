// Package console runs the lines of a user: at a prompt (package term beneath), from scripts,
// from -e, from standard input, and over gRPC for consoles elsewhere.
//
// A Session is one console: it reads a line (variables, aliases, redirection), and gives the command to an
// Engine: Local against the table of this process, Remote against a ConsoleService, which Service serves over the
// same table. Output is where everything that a user reads comes together line by line, so that a chat line, a log line and
// the output of a command never cut each other, nor a live prompt.
//
//	builtins := console.NewBuiltins(logs)
//	table, err := command.New(append(specs, builtins.Specs()...)...)
//	builtins.Bind(table)
//	engine := console.NewLocal(&command.Executor{Table: table}, live)
//	session := console.NewSession(console.SessionConfig{Engine: engine, Output: output})
//	err = session.RunScript(ctx, "demo.txt", file, output.Command())
package console
