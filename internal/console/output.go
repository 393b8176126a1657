package console

import (
	"io"
	"os"
	"regexp"
	"strings"
	"sync"

	xterm "golang.org/x/term"

	"peerlab.example/peerlab/internal/command"
)

// Screen takes lines while a live prompt owns the terminal. The lines are free of control
// characters, except for colours in those of the log.
type Screen interface {
	// Line shows a line above the prompt, in the order of the calls. When lines come faster
	// than the terminal takes them, it waits if wait is set, and else drops the line and counts it.
	Line(line string, wait bool)
}

// Terminal is a Screen that can do more than lines; the prompt of a real terminal is one. It may be used
// from any goroutine.
type Terminal interface {
	Screen
	// Size is that of the window in characters.
	Size() (rows, cols int)
	// Block keeps lines at the bottom of the screen while a command runs, in place of the block before; what
	// Line shows goes above them. They are cut to the size of the window. With nil the last block stays where it is,
	// and what comes next goes below.
	Block(lines []string)
	// Pause holds all lines back until resume is called, because another program, such as a pager, has the terminal.
	Pause() (resume func())
}

// Output is where all that a user reads comes together, whole line by whole line. Its methods may be
// called from any goroutine.
type Output struct {
	read        bool // whether a program reads out: it is no terminal
	errTerminal bool // whether err is a terminal
	oneTerminal bool // whether out and err are the same terminal

	mu     sync.Mutex // makes lines whole
	out    stream     // guarded by mu
	err    stream     // guarded by mu
	screen Screen     // guarded by mu; nil when there is no live prompt
	muted  bool       // guarded by mu
	unseen int        // guarded by mu; lines since muted
	bare   bool       // guarded by mu; standard output is for results alone, be it a terminal
}

// NewOutput makes an Output over standard output and standard error.
func NewOutput(out, err io.Writer) *Output {
	o := &Output{out: stream{to: out}, err: stream{to: err}}
	outFile, ok1 := out.(*os.File)
	o.read = !ok1 || !xterm.IsTerminal(int(outFile.Fd()))
	errFile, ok2 := err.(*os.File)
	o.errTerminal = ok2 && xterm.IsTerminal(int(errFile.Fd()))
	if ok1 && o.errTerminal {
		a, errA := outFile.Stat()
		b, errB := errFile.Stat()
		o.oneTerminal = errA == nil && errB == nil && os.SameFile(a, b)
	}
	return o
}

// Attach sends all lines to a screen from now on, until Detach.
func (o *Output) Attach(s Screen) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.end()
	if o.oneTerminal {
		o.err.end()
	}
	o.screen = s
}

// Detach ends Attach. Later lines go to the standard streams again.
func (o *Output) Detach() { o.Attach(nil) }

// Terminal is the live prompt, where it can do more than lines; else nil.
func (o *Output) Terminal() Terminal {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, _ := o.screen.(Terminal)
	return t
}

// Muted reports whether Println keeps its lines back, and how many it has.
func (o *Output) Muted() (on bool, unseen int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.muted, o.unseen
}

// Mute keeps back what Println would show, or ends that and returns how many lines were not shown.
func (o *Output) Mute(on bool) (unseen int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	unseen = o.unseen
	o.muted, o.unseen = on, 0
	return unseen
}

// ResultsAlone is for results that are not for people: nothing else goes to standard output then, be it a terminal.
func (o *Output) ResultsAlone(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bare = on
}

// Println shows one line that comes by itself, without control characters, unless the user wants quiet. Where standard output is
// read by a program it goes to standard error, so that results stay alone. It does not wait for a prompt.
func (o *Output) Println(line string) { o.unasked(piece{text: line, ended: true}) }

// unasked is Println for a piece of a line.
func (o *Output) unasked(p piece) {
	o.mu.Lock()
	muted, aside := o.muted, (o.bare || o.read) && o.screen == nil
	if muted && !p.later {
		o.unseen++
	}
	o.mu.Unlock()
	switch {
	case muted:
	case aside:
		o.errLine(p.cleaned(), false)
	default:
		o.line(p.cleaned(), false)
	}
}

// Aside is a writer whose lines are shown as by Println.
func (o *Output) Aside() *LineWriter { return newLineWriter(o.unasked) }

func (o *Output) line(p piece, wait bool) {
	o.mu.Lock()
	s := o.screen
	if s == nil {
		if o.oneTerminal {
			o.err.end()
		}
		o.out.write(p)
	}
	o.mu.Unlock()
	show(s, p, wait)
}

// Command is a writer for one user of standard output, such as a command. Lines are shown when they
// are complete, or longer than maxLine; Flush shows the rest. It is safe for use by several goroutines.
func (o *Output) Command() *LineWriter {
	return newLineWriter(func(p piece) { o.line(p.cleaned(), true) })
}

// Notes is a writer like Command for what is not the result of a command, to standard error.
func (o *Output) Notes() *LineWriter {
	return newLineWriter(func(p piece) { o.errLine(p.cleaned(), true) })
}

// Log is a writer for the log, to standard error. On a terminal its lines keep colours and lose all
// other control characters; elsewhere they are left alone.
func (o *Output) Log() io.Writer { return newLineWriter(o.logLine) }

func (o *Output) logLine(p piece) {
	if o.errTerminal {
		p.text = cleanKeepingColor(p.text)
	}
	o.errLine(p, false)
}

// errLine shows a line of standard error, above a prompt on the same terminal.
func (o *Output) errLine(p piece, wait bool) {
	o.mu.Lock()
	s := o.screen
	if s == nil || !o.oneTerminal {
		if o.oneTerminal {
			o.out.end()
		}
		o.err.write(p)
		s = nil
	}
	o.mu.Unlock()
	show(s, p, wait)
}

// color is the escape sequence "Select Graphic Rendition" (ECMA-48, 8.3.117).
var color = regexp.MustCompile("\x1b\\[[0-9;]*m")

func cleanKeepingColor(line string) string {
	var b strings.Builder
	for {
		at := color.FindStringIndex(line)
		if at == nil {
			b.WriteString(command.Clean(line))
			return b.String()
		}
		b.WriteString(command.Clean(line[:at[0]]))
		b.WriteString(line[at[0]:at[1]])
		line = line[at[1]:]
	}
}
