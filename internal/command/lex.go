package command

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Word is one word of a line.
type Word struct {
	// Text is the word without its quotes.
	Text string
	// Col is where it begins: 1 is the first byte of the line.
	Col int
	// Quoted is set when it begins with a quote: it is text then, and never a flag.
	Quoted bool
}

// SyntaxError is a line that cannot be split into words.
type SyntaxError struct {
	// Col is the place, in bytes from 1.
	Col int
	Msg string
}

func (e *SyntaxError) Error() string { return e.Msg }

// Split splits a line into words. Words are separated by white space. A quote opens at the
// start of a word or right after = or ~, and only there, so that "it's" is a word like any other.
// Between single quotes everything stands for itself; between double quotes \" \\ \n and \t
// are known. The line must be valid UTF-8.
func Split(line string) ([]Word, error) {
	words, _, err := split(line, false)
	return words, err
}

// SplitScript is Split for lines of scripts and suites, where a # at the start of a
// word begins a comment that lasts to the end of the line.
func SplitScript(line string) ([]Word, error) {
	words, _, err := split(line, true)
	return words, err
}

// CutComment returns the line without the comment that SplitScript skips. A line that
// cannot be split is returned as it is.
func CutComment(line string) string {
	_, end, err := split(line, true)
	if err != nil {
		return line
	}
	return line[:end]
}

// split also returns where a comment begins, or the end of the line.
func split(line string, comments bool) (words []Word, end int, err error) {
	if i := invalidUTF8(line); i >= 0 {
		return nil, 0, &SyntaxError{Col: i + 1, Msg: "this is not valid UTF-8 text"}
	}
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		if unicode.IsSpace(r) {
			i += n
			continue
		}
		if comments && r == '#' {
			return words, i, nil
		}
		if unicode.IsControl(r) {
			return nil, 0, &SyntaxError{Col: i + 1, Msg: fmt.Sprintf("control character %U in the line", r)}
		}
		w, end, err := word(line, i)
		if err != nil {
			return nil, 0, err
		}
		words = append(words, w)
		i = end
	}
	return words, len(line), nil
}

// word reads the word that begins at start, and returns where it ends.
func word(line string, start int) (Word, int, error) {
	w := Word{Col: start + 1}
	var text strings.Builder
	open := true // whether a quote may open here
	i := start
	for i < len(line) {
		r, n := utf8.DecodeRuneInString(line[i:])
		if unicode.IsSpace(r) {
			break
		}
		if open && (r == '"' || r == '\'') {
			s, end, err := quoted(line, i)
			if err != nil {
				return w, 0, err
			}
			text.WriteString(s)
			w.Quoted = w.Quoted || i == start
			open = false
			i = end
			continue
		}
		if unicode.IsControl(r) {
			return w, 0, &SyntaxError{Col: i + 1, Msg: fmt.Sprintf("control character %U in the line", r)}
		}
		text.WriteRune(r)
		open = r == '=' || r == '~'
		i += n
	}
	w.Text = text.String()
	return w, i, nil
}

// quoted reads what stands between the quote at start and its twin.
func quoted(line string, start int) (string, int, error) {
	quote := line[start]
	var text strings.Builder
	for i := start + 1; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			return text.String(), i + 1, nil
		case c == '\\' && quote == '"' && i+1 < len(line):
			i++
			text.WriteString(unescape(line[i]))
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", 0, &SyntaxError{Col: i + 1, Msg: fmt.Sprintf("control character %U in the line", rune(c))}
		default:
			text.WriteByte(c)
		}
	}
	return "", 0, &SyntaxError{Col: start + 1, Msg: fmt.Sprintf("this %c is never closed", quote)}
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '"', '\\':
		return string(c)
	}
	return "\\" + string(c)
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

// SplitCommands splits the argument of -e at each ; that stands outside quotes.
func SplitCommands(s string) []string {
	var out []string
	start, open := 0, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case open && (c == '"' || c == '\''):
			_, end, err := quoted(s, i)
			if err != nil {
				return append(out, s[start:])
			}
			i = end - 1
			open = false
		case c == ';':
			out = append(out, s[start:i])
			start, open = i+1, true
		default:
			open = c == ' ' || c == '\t' || c == '\n' || c == '=' || c == '~'
		}
	}
	return append(out, s[start:])
}

// Quote writes a word so that Split reads it back as text. Control characters, which no line may have, are left out,
// but for line ends and tabs.
func Quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	plain := s != "" && s[0] != '-'
	for i, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || i == 0 && strings.ContainsRune("\"'#", r) ||
			r == '"' || r == '\'' || r == ';' {
			plain = false
		}
	}
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}
