//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"math"
	"slices"
	"strings"

	prompt "github.com/c-bata/go-prompt"
)

// recalled is what Ctrl-R found last.
type recalled struct {
	search, line string
	n            int // the number of line
}

// recall is Ctrl-R: it puts the newest line of the history that contains the text in its place;
// pressed again, the one before.
func (f *front) recall(b *prompt.Buffer) {
	text := b.Text()
	if text == "" || text != f.recalled.line {
		f.recalled = recalled{search: text, n: math.MaxInt}
	}
	lines := f.History.Find(f.recalled.search)
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i].N >= f.recalled.n || lines[i].Line == text {
			continue
		}
		f.recalled.line, f.recalled.n = lines[i].Line, lines[i].N
		put(b, []rune(lines[i].Line), nil)
		return
	}
}

// remember gives go-prompt the lines that Up goes through: those that begin with what was typed.
func (f *front) remember(text string, key prompt.Key) {
	typed := text != f.typed && key != prompt.Escape // which is the key when Up or Down has changed the text
	f.typed = text
	if typed {
		f.set(prompt.OptionHistory(beginning(f.History.Lines(), text)))
	}
}

// forget is Ctrl-C: the line is empty again.
func (f *front) forget(*prompt.Buffer) { f.remember("", prompt.ControlC) }

// beginning are the lines that begin with text, each once in a row; all lines, if there are none.
func beginning(lines []string, text string) []string {
	var out []string
	for _, l := range lines {
		if strings.HasPrefix(l, text) && l != text {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		out = lines
	}
	return slices.Compact(out)
}
