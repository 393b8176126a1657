package command

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Word is one word of a line.
type Word struct {
	// Text is the word without its quotes, and with the values of its variables.
	Text string
	// Raw is the word as it stands in the line.
	Raw string
	// Col is where it begins: 1 is the first byte of the line.
	Col int
	// Quoted is set when it begins with a quote or a variable: it is text then, and never a flag.
	Quoted bool
}

// Lookup gives the value of a variable. What it says of one that does not exist is for the user.
type Lookup func(name string) (string, error)

// SyntaxError is a line that cannot be split into words.
type SyntaxError struct {
	// Col is the place, in bytes from 1.
	Col int
	Msg string
}

func (e *SyntaxError) Error() string { return e.Msg }

// Split splits a line into words. Words are separated by white space. A quote opens at the
// start of a word or right after = or ~, and only there, so that "it's" is a word like any other.
// Between single quotes everything stands for itself; between double quotes \" \\ \$ \n and \t
// are known. The line must be valid UTF-8.
func Split(line string) ([]Word, error) {
	l := lexer{line: line}
	return l.words, l.split()
}

// SplitVars is Split that puts the values of variables in place of $NAME and ${NAME}, except between single
// quotes. A value never becomes several words. A variable that lookup does not know is a *UsageError.
func SplitVars(line string, lookup Lookup) ([]Word, error) {
	l := lexer{line: line, lookup: lookup}
	return l.words, l.split()
}

// SplitScript is Split for lines of scripts and suites, where a # at the start of a
// word begins a comment that lasts to the end of the line.
func SplitScript(line string) ([]Word, error) {
	l := lexer{line: line, comments: true}
	return l.words, l.split()
}

// SplitScriptVars is SplitScript with the values of variables, as SplitVars has them.
func SplitScriptVars(line string, lookup Lookup) ([]Word, error) {
	l := lexer{line: line, comments: true, lookup: lookup}
	return l.words, l.split()
}

// CutComment returns the line without the comment that SplitScript skips. A line that
// cannot be split is returned as it is.
func CutComment(line string) string {
	l := lexer{line: line, comments: true}
	if l.split() != nil {
		return line
	}
	return line[:l.end]
}

// lexer splits one line.
type lexer struct {
	line     string
	comments bool
	lookup   Lookup // nil where a $ is a character like any other

	words []Word
	end   int // where a comment begins, or the end of the line
}

func (l *lexer) split() error {
	if i := invalidUTF8(l.line); i >= 0 {
		return &SyntaxError{Col: i + 1, Msg: "this is not valid UTF-8 text"}
	}
	l.end = len(l.line)
	for i := 0; i < len(l.line); {
		r, n := utf8.DecodeRuneInString(l.line[i:])
		if unicode.IsSpace(r) {
			i += n
			continue
		}
		if l.comments && r == '#' {
			l.end = i
			return nil
		}
		w, end, err := l.word(i)
		if err != nil {
			l.words = nil
			return err
		}
		l.words = append(l.words, w)
		i = end
	}
	return nil
}

// word reads the word that begins at start, and returns where it ends.
func (l *lexer) word(start int) (Word, int, error) {
	w := Word{Col: start + 1}
	var text strings.Builder
	open := true // whether a quote may open here
	i := start
	for i < len(l.line) {
		r, n := utf8.DecodeRuneInString(l.line[i:])
		if unicode.IsSpace(r) {
			break
		}
		var part string
		end := i + n
		var err error
		switch {
		case open && (r == '"' || r == '\''):
			part, end, err = l.quoted(i)
			w.Quoted = w.Quoted || i == start
			open = false
		case unicode.IsControl(r):
			err = controlCharacter(i, r)
		case r == '$' && l.lookup != nil:
			part, end, err = l.variable(i)
			w.Quoted = w.Quoted || i == start && end > i+n
			open = false
		default:
			part = string(r)
			open = r == '=' || r == '~'
		}
		if err != nil {
			return w, 0, err
		}
		text.WriteString(part)
		i = end
	}
	w.Text, w.Raw = text.String(), l.line[start:i]
	return w, i, nil
}

// quoted reads what stands between the quote at start and its twin.
func (l *lexer) quoted(start int) (text string, end int, err error) {
	quote := l.line[start]
	var b strings.Builder
	for i := start + 1; i < len(l.line); i++ {
		c := l.line[i]
		switch {
		case c == quote:
			return b.String(), i + 1, nil
		case c == '\\' && quote == '"' && i+1 < len(l.line):
			i++
			b.WriteString(unescape(l.line[i]))
		case c == '$' && quote == '"' && l.lookup != nil:
			value, end, err := l.variable(i)
			if err != nil {
				return "", 0, err
			}
			b.WriteString(value)
			i = end - 1
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", 0, controlCharacter(i, rune(c))
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, &SyntaxError{Col: start + 1, Msg: fmt.Sprintf("this %c is never closed", quote)}
}

// variable reads the variable whose $ stands at start. A $ that no name follows stands for itself.
func (l *lexer) variable(start int) (value string, end int, err error) {
	name, end := "", start+1
	if strings.HasPrefix(l.line[end:], "{") {
		n := strings.IndexByte(l.line[end:], '}')
		if n < 0 {
			return "", 0, &SyntaxError{Col: start + 1, Msg: "this ${ is never closed"}
		}
		name, end = l.line[end+1:end+n], end+n+1
		if !IsName(name) {
			return "", 0, &SyntaxError{Col: start + 1, Msg: fmt.Sprintf("%q is not the name of a variable: letters, digits and _", name)}
		}
	} else {
		n := nameLength(l.line[end:])
		name, end = l.line[end:end+n], end+n
	}
	if name == "" {
		return "$", end, nil
	}
	if value, err = l.lookup(name); err != nil {
		return "", 0, &UsageError{Col: start + 1, Msg: err.Error()}
	}
	return value, end, nil
}

// IsName reports whether s can be the name of a variable: a letter or _, then letters, digits and _, of ASCII.
func IsName(s string) bool { return s != "" && nameLength(s) == len(s) }

func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

func controlCharacter(at int, r rune) error {
	return &SyntaxError{Col: at + 1, Msg: fmt.Sprintf("control character %U in the line", r)}
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '"', '\\', '$':
		return string(c)
	}
	return string([]byte{'\\', c}) // c may be the first byte of a longer character
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
