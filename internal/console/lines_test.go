package console

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/command"
)

func TestLineWriterIsBounded(t *testing.T) {
	t.Parallel()
	var lines []int
	w := newLineWriter(func(p piece) { lines = append(lines, len(p.text)) })
	for range 5 {
		_, _ = w.Write(bytes.Repeat([]byte("x"), maxLine/2))
	}
	if diff := cmp.Diff([]int{maxLine, maxLine}, lines); diff != "" {
		t.Error(diff)
	}
}

// unit is what must not be torn, and what must not be shown.
const unit = "\x1b[1;31m世é\x1b[0m\x1b[2J\u202e\r"

// hostile is longer than what is kept of a line, which ends before another byte of a unit for each shift below len(unit).
func hostile(shift int) string {
	return strings.Repeat("a", maxLine-2*len(unit)+shift) + strings.Repeat(unit, 4)
}

// What is longer than a LineWriter keeps is one line still, and cleaned as if it were whole.
func TestLongLinesStayOne(t *testing.T) {
	t.Parallel()
	for shift := range len(unit) {
		line := hostile(shift)
		var out, aside bytes.Buffer
		o := NewOutput(&out, &aside)
		for _, w := range []*LineWriter{o.Command(), o.Notes()} {
			for rest := []byte(line); len(rest) > 0; {
				n, _ := w.Write(rest[:min(maxLine/64, len(rest))])
				rest = rest[n:]
			}
			w.Flush()
			_, _ = io.WriteString(w, "next\n")
		}
		want := command.Clean(line) + "\nnext\n"
		if out.String() != want || aside.String() != want {
			t.Fatalf("shifted by %d, %d bytes in %d lines, and %d beside; want %d in 2", shift, out.Len(), strings.Count(out.String(), "\n"), aside.Len(), len(want))
		}
	}
}

// The log keeps its colours at a terminal, and elsewhere all but the line end of Windows.
func TestLongLinesOfTheLog(t *testing.T) {
	t.Parallel()
	for shift := range len(unit) {
		line := hostile(shift)
		var file, terminal bytes.Buffer
		raw := NewOutput(io.Discard, &file).Log()
		colored := newLineWriter(func(p piece) {
			p.text = cleanKeepingColor(p.text)
			_, _ = io.WriteString(&terminal, p.String())
		})
		for _, w := range []io.Writer{raw, colored} {
			for rest := line + "\r\n"; rest != ""; {
				n, _ := io.WriteString(w, rest[:min(maxLine/64, len(rest))])
				rest = rest[n:]
			}
		}
		if file.String() != line+"\n" {
			t.Fatalf("shifted by %d, the file has %d bytes in %d lines, want %d", shift, file.Len(), strings.Count(file.String(), "\n"), len(line)+1)
		}
		if want := cleanKeepingColor(line) + "\n"; terminal.String() != want {
			t.Fatalf("shifted by %d, the terminal has %d bytes in %d lines, want %d", shift, terminal.Len(), strings.Count(terminal.String(), "\n"), len(want))
		}
	}
}

// A line of somebody else does not go into the middle of a long one.
func TestLongLinesAreNotMixed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := NewOutput(&out, io.Discard)
	long, other := o.Command(), o.Command()
	x := strings.Repeat("x", maxLine)
	_, _ = io.WriteString(long, x)
	_, _ = io.WriteString(other, "other\n")
	_, _ = io.WriteString(long, "\n")
	_, _ = io.WriteString(long, x)
	_, _ = io.WriteString(other, "other\n")
	_, _ = io.WriteString(long, "rest\n")
	if want := x + "\nother\n" + x + "\nother\nrest\n"; out.String() != want {
		t.Errorf("%d bytes, want %d; it ends with %q", out.Len(), len(want), out.String()[max(0, out.Len()-30):])
	}
}

// Nor does one of the other stream, where both are one terminal.
func TestLongLinesOfOneTerminal(t *testing.T) {
	t.Parallel()
	var both bytes.Buffer
	o := NewOutput(&both, &both)
	o.oneTerminal = true
	result, note := o.Command(), o.Notes()
	x := strings.Repeat("x", maxLine)
	_, _ = io.WriteString(result, x)
	_, _ = io.WriteString(note, x)
	_, _ = io.WriteString(result, "rest\n")
	_, _ = io.WriteString(note, "\n")
	if want := x + "\n" + x + "\nrest\n"; both.String() != want {
		t.Errorf("%d bytes, want %d; they end with %q", both.Len(), len(want), both.String()[max(0, both.Len()-30):])
	}
}

// A prompt has whole lines around it, so that there each piece is a line, and nothing is left open above.
func TestLongLinesOnTheScreen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := NewOutput(&out, io.Discard)
	w := o.Command()
	s := &testScreen{}
	x := strings.Repeat("x", maxLine)
	_, _ = io.WriteString(w, x)
	o.Attach(s)
	_, _ = io.WriteString(w, x)
	_, _ = io.WriteString(w, "rest\n")
	_, _ = io.WriteString(w, x)
	_, _ = io.WriteString(w, "\n\n")
	if diff := cmp.Diff([]string{x, "rest", x, ""}, s.lines); diff != "" {
		t.Error(diff)
	}
	if out.String() != x+"\n" {
		t.Errorf("%d bytes came before the prompt, want %d", out.Len(), len(x)+1)
	}
}

// The whole way of a long line, from a program that writes it bit by bit.
func TestLongLineOfAShell(t *testing.T) {
	t.Parallel()
	b, _, _ := newTestBackend(t)
	var out bytes.Buffer
	w := NewOutput(&out, io.Discard).Command()
	if err := b.RunLines(context.Background(), "-e", `shell head -c 200000 /dev/zero | tr "\0" x`, w); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 1 || out.Len() != 200001 {
		t.Errorf("%d bytes in %d lines, want 200001 in 1", out.Len(), lines)
	}
}

// The same from a peer elsewhere, whose answer comes in parts and is cut.
func TestLongLineOfAPeerElsewhere(t *testing.T) {
	t.Parallel()
	client, _ := dialTest(t)
	var out bytes.Buffer
	w := NewOutput(&out, io.Discard).Command()
	err := newTestSession(t, NewRemote(client)).RunLines(context.Background(), "-e", "huge", w)
	if !strings.Contains(message(err), "the result as JSON is longer") {
		t.Fatal(err)
	}
	line, notice, _ := strings.Cut(out.String(), "\n")
	if len(line) != maxRemoteOutput || strings.Count(notice, "\n") != 1 {
		t.Errorf("a line of %d bytes, then %.200q; want %d bytes, and that the rest is not shown", len(line), notice, maxRemoteOutput)
	}
}
