// Package command is the table of commands and the language of one line.
//
// A Table is made of app.Specs; each reader of it (console, completion, help, HELP.md, scripts,
// suites, the Exec, Complete and Commands RPCs) takes all it needs from there, so that adding a
// command is one registration.
//
//	t, err := command.New(specs...)
//	call, err := t.Parse(`msg "left side"`)  // checked, not run
//	result, err := call.Run(ctx, env)
//	err = command.Text(os.Stdout, result)
//
// A line is words separated by blanks; see Split for quotes. The first one or two words name the
// command: its name, an alias, or the joined form ("memberlist" for "member list"), each also
// with a leading slash. Then come flags (--name VALUE, --name=VALUE) and arguments in any
// order, until an argument that takes the rest of the line.
package command
