package testcoord

import (
	"regexp"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// line is one line of the file, or what is left of it after its first words.
type line struct {
	no    int
	src   string
	whole []command.Word // all its words
	words []command.Word // those that are left
}

// after is the line without its first n words.
func (l line) after(n int) line {
	l.words = l.words[min(n, len(l.words)):]
	return l
}

// end is the column after the last word.
func (l line) end() int { return len(strings.TrimRight(l.src, " \t")) + 1 }

// col is the column of word i, or the end of the line when there is none.
func (l line) col(i int) int {
	if i < len(l.words) {
		return l.words[i].Col
	}
	return l.end()
}

// is reports whether word i is that bare word.
func (l line) is(i int, text string) bool {
	return i < len(l.words) && l.words[i].Text == text && !l.words[i].Quoted
}

// text is the words as one text, with one blank between them.
func (l line) text() string {
	parts := make([]string, len(l.words))
	for i, w := range l.words {
		parts[i] = w.Text
	}
	return strings.Join(parts, " ")
}

// spaced is the words as one text, with the blanks that stand between them. Of words without variables and quotes, it is
// what was typed.
func (l line) spaced() string {
	var b strings.Builder
	for i, w := range l.words {
		if i > 0 {
			before := l.words[i-1]
			b.WriteString(l.src[before.Col-1+len(before.Raw) : w.Col-1])
		}
		b.WriteString(w.Text)
	}
	return b.String()
}

// shown is what is left of the line as it was typed, or with the values of its variables where it has some.
func (l line) shown() string {
	if len(l.words) == 0 {
		return ""
	}
	typed := l.src[l.words[0].Col-1 : endOf(l.words)]
	if !strings.Contains(typed, "$") {
		return command.Clean(typed)
	}
	parts := make([]string, len(l.words))
	for i, w := range l.words {
		parts[i] = quoteTest(w)
	}
	return command.Clean(strings.Join(parts, " "))
}

// fieldStart is how the test of a field begins, such as text= and from!~.
var fieldStart = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*!?[=~]`)

// quoteTest writes a word as one types it: of the test of a field, the value stands in quotes where it must, and the name before them.
func quoteTest(w command.Word) string {
	name := fieldStart.FindString(w.Text)
	if w.Quoted {
		name = ""
	}
	return name + command.Quote(w.Text[len(name):])
}

// source is the line as it was typed, without its comment.
func (l line) source() string { return l.src[:endOf(l.whole)] }

// endOf is where the last of the words ends.
func endOf(words []command.Word) int {
	last := words[len(words)-1]
	return last.Col - 1 + len(last.Raw)
}

// command is the words as a line that splits into the same words.
func (l line) command() string {
	parts := make([]string, len(l.words))
	for i, w := range l.words {
		parts[i] = quote(w)
	}
	return strings.Join(parts, " ")
}

// quote writes a word so that it is read back as what it is: a flag stays one, which a quoted word is not.
func quote(w command.Word) string {
	if w.Quoted || !strings.HasPrefix(w.Text, "-") {
		return command.Quote(w.Text)
	}
	name, value, ok := strings.Cut(w.Text, "=")
	if !ok {
		return name
	}
	return name + "=" + command.Quote(value)
}
