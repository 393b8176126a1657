// Package term is the prompt of the console on a terminal: line editing, completion in a popup,
// history, and lines from others above the line that is being typed.
//
// It is a front for go-prompt v0.2.6, of which only Input is used, with a parser and a writer of
// our own, because with those that come with it the terminal stays raw after the end, commands cannot be
// interrupted, signals end the process without a goodbye, pasted lines are lost, and output of others
// tears the prompt (go-prompt issues 18, 20, 228 and pull request 145 tell the stories).
//
//   - parser reads keys, and has the terminal raw only while a line is edited.
//   - screen draws, and can put lines above a prompt that is live.
//   - Run is the loop of both: one line, one command.
//
// Known limits: there is one prompt in a process, and go-prompt keeps a descriptor of /dev/tty open to its end and looks for
// keys a hundred times a second; graphemes of several emoji may be drawn at another width than the terminal's; after a
// resize a row of a long prompt may be left; Windows is not supported, there lines are read without editing.
package term
