// Package term is the terminal in front of a console: a prompt with completion and history, with
// lines of other peers above it as they come.
//
// go-prompt draws the prompt and edits the line; nothing else of it is used. Its Run exits the process,
// loses keys and leaves the terminal raw, so that this package has its own loop around Input, its own
// parser of keys (tty) and its own writer (screen):
//
//   - tty puts the terminal into raw mode while a line is edited, and back before a command runs, so that
//     Ctrl-C reaches the command;
//   - screen knows what the prompt looks like, and draws it again below a line that comes in between.
package term
