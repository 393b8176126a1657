package app

import (
	"context"
	"io"
	"strconv"
	"time"
)

// Spec is one command. The console, its completion and help, scripts, suites, HELP.md
// and the Exec and Complete RPCs all read it, and nothing else.
type Spec struct {
	// Name is one or two lower-case words, such as "member list".
	// The joined form ("memberlist" for "member list") is accepted too.
	Name string
	// Aliases are other names, of one word or two.
	Aliases []string
	// Group is the heading in help; empty means the first word of Name.
	Group string
	// Summary is one line in lower case, without a full stop. Required.
	Summary string
	// Detail is shown by "help NAME", below the synopsis.
	Detail string
	// Example is a line that works. Required.
	Example string
	// Params are the positional arguments, required ones first.
	Params []Param
	// Flags are the named ones: --name VALUE, --name=VALUE, or --name for a Bool.
	Flags []Flag
	// Local commands act on the terminal or the files of the one who types, and are not
	// offered to remote callers and suites.
	Local bool
	// Run does it. It writes progress to env.Out, never to os.Stdout; it never exits; it
	// returns when ctx ends. The result, if not nil, is a string, number or bool, a Table
	// or a Record; it is printed in the format the user chose.
	Run func(ctx context.Context, env *Env, args Args) (any, error)
}

// Kind is what an argument is; completion and checking go by it.
type Kind string

// The kinds of arguments.
const (
	// Text is any word. A repeated one is all that is left of the line, as text.
	Text Kind = "text"
	// Word is any word. A repeated one leaves flags, | and > behind it what they are.
	Word Kind = "word"
	// Int is a whole number, 0 or larger.
	Int Kind = "int"
	// Bool is true or false; a flag of this kind needs no value.
	Bool Kind = "bool"
	// Duration is 300ms, 1.5s, 2m …; a bare number is seconds.
	Duration Kind = "duration"
	// MemberName is the name of a member of the group.
	MemberName Kind = "member"
	// Addr is host:port.
	Addr Kind = "addr"
	// File is a path.
	File Kind = "file"
	// Enum is one of Param.Values.
	Enum Kind = "enum"
	// CommandName is the name of a command.
	CommandName Kind = "command"
	// Line is another command with its arguments, up to the end of the line. Only the last Param may be one; it has
	// one value, which is a line.
	Line Kind = "line"
	// Raw is the rest of the line exactly as typed, quotes and $ included. Only the last Param may be one; it
	// has one value.
	Raw Kind = "raw"
)

// Param is a positional argument.
type Param struct {
	// Name is lower case, as shown in the synopsis.
	Name     string
	Kind     Kind
	Optional bool
	// Repeated takes all words that are left; only the last Param may be so. Words of a
	// repeated Text are everything up to the end of the line: flags end where it begins.
	Repeated bool
	// Values are those of an Enum.
	Values []string
	// Complete offers values beyond what Kind knows; it must answer at once, from memory.
	Complete func() []Suggestion
	// CompleteAfter is as Complete, and is given the values of the parameters before.
	CompleteAfter func(before []string) []Suggestion
}

// Flag is a named argument.
type Flag struct {
	// Name without the dashes.
	Name string
	// Short is one letter: -n VALUE is then the same as --name VALUE.
	Short   string
	Kind    Kind
	Default string
	Summary string
	Values  []string
	// Complete is as that of a Param.
	Complete func() []Suggestion
}

// Suggestion is an offer of completion.
type Suggestion struct {
	Text        string
	Description string
}

// Env is what a command runs in.
type Env struct {
	// Out takes text for the user; whole lines appear above a live prompt.
	Out io.Writer
	// Remote is set when the caller is not at the peer's own console or script.
	Remote bool
}

// Args are the checked arguments of one call. All accessors panic on a name that the
// Spec does not have: that is a mistake of the programmer.
type Args struct {
	values map[string][]string
	set    map[string]bool
}

// NewArgs is for the parser and for tests: values by name of param or flag, set for what was given.
func NewArgs(values map[string][]string, set map[string]bool) Args {
	return Args{values: values, set: set}
}

// Has reports whether the argument was given.
func (a Args) Has(name string) bool { return a.set[name] }

// All returns every word of a repeated argument.
func (a Args) All(name string) []string {
	v, ok := a.values[name]
	if !ok {
		panic("app: command reads an argument it does not declare: " + name)
	}
	return v
}

// String returns the value, or the default, or "".
func (a Args) String(name string) string {
	v := a.All(name)
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// Int returns the value of an Int; 0 when absent.
func (a Args) Int(name string) int {
	n, _ := strconv.Atoi(a.String(name))
	return n
}

// Bool returns the value of a Bool; false when absent.
func (a Args) Bool(name string) bool {
	b, _ := strconv.ParseBool(a.String(name))
	return b
}

// Duration returns the value of a Duration; 0 when absent.
func (a Args) Duration(name string) time.Duration {
	d, _ := ParseDuration(a.String(name))
	return d
}

// ParseDuration is time.ParseDuration that takes a bare number as seconds and refuses negative values.
func ParseDuration(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		s = strconv.FormatFloat(f, 'f', -1, 64) + "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errDuration(s)
	}
	return d, nil
}

type errDuration string

func (e errDuration) Error() string {
	return strconv.Quote(string(e)) + " is not a duration such as 300ms, 1.5s or 2m"
}
