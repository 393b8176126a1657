package console

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"

	"peerlab.example/peerlab/internal/command"
)

// maxLine is the most bytes that a LineWriter keeps while it waits for the end of a line.
const maxLine = 64 << 10

// piece is a line, or a part of one that is too long to be kept until it ends.
type piece struct {
	of    *LineWriter // whose line it is; nil for one that is whole
	text  string
	later bool // whether a part of the line came before
	ended bool // whether the line ends here
}

// cleaned is the piece without control characters.
func (p piece) cleaned() piece {
	p.text = command.Clean(p.text)
	return p
}

// String is the piece as a stream has it.
func (p piece) String() string {
	if p.ended {
		return p.text + "\n"
	}
	return p.text
}

// stream is what pieces are written to when there is no prompt.
type stream struct {
	to   io.Writer
	open *LineWriter // whose line has begun and not ended; nil where the next byte begins a line
}

// write goes on with a line, and ends that of somebody else first: of lines that long, the rest is then a line of its own.
func (s *stream) write(p piece) {
	if s.open != p.of {
		s.end()
		if p.later && p.text == "" {
			return // its line was ended already
		}
	}
	_, _ = io.WriteString(s.to, p.String()) // the command line looks at what could not be written
	s.open = p.of
	if p.ended {
		s.open = nil
	}
}

// end ends the line that has begun, if there is one.
func (s *stream) end() {
	if s.open != nil {
		_, _ = io.WriteString(s.to, "\n")
		s.open = nil
	}
}

// show gives a piece to a screen, if there is one. A screen knows only lines: there, each piece is one.
func show(s Screen, p piece, wait bool) {
	if s != nil && !(p.later && p.text == "") {
		s.Line(p.text, wait)
	}
}

// LineWriter splits what is written into lines.
type LineWriter struct {
	emit func(piece)

	mu    sync.Mutex
	rest  []byte // guarded by mu; the line that has not ended, but for what was emitted of it
	begun bool   // guarded by mu; whether something of it was
}

func newLineWriter(emit func(piece)) *LineWriter { return &LineWriter{emit: emit} }

// Write never fails.
func (w *LineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		w.rest = append(w.rest, line...)
		rest = after
		switch {
		case ended:
			w.end()
		case len(w.rest) >= maxLine:
			w.begin()
		}
	}
	return len(p), nil
}

// Flush ends the last line if it has no line end.
func (w *LineWriter) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) > 0 || w.begun {
		w.end()
	}
}

func (w *LineWriter) end() {
	p := piece{of: w, text: strings.TrimSuffix(string(w.rest), "\r"), later: w.begun, ended: true}
	w.rest, w.begun = w.rest[:0], false
	w.emit(p)
}

// begin emits what there is of a line that has not ended.
func (w *LineWriter) begin() {
	n := untorn(w.rest)
	p := piece{of: w, text: string(w.rest[:n]), later: w.begun}
	w.rest, w.begun = append(w.rest[:0], w.rest[n:]...), true
	w.emit(p)
}

// unended is what may become a colour or a line end with what follows.
var unended = regexp.MustCompile("(\x1b(\\[[0-9;]*)?|\r)$")

// longestColor is how many bytes are kept back for a colour: two with 24 bits each, and some attributes.
const longestColor = 64

// untorn is how much of a long b can be cleaned by itself: no character and no colour is torn apart.
func untorn(b []byte) int {
	n := wholeRunes(b)
	from := max(0, n-longestColor)
	if at := unended.FindIndex(b[from:n]); at != nil {
		return from + at[0]
	}
	return n
}

// flush shows what a command left in its writer, where that keeps something back.
func flush(out io.Writer) {
	if w, ok := out.(interface{ Flush() }); ok {
		w.Flush()
	}
}
