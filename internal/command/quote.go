package command

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// SplitCommands splits a line of -e at each ; that stands outside quotes and before a comment, as SplitScript knows both.
func SplitCommands(line string) []string {
	var out []string
	start := 0
	first, open := true, true // whether a word may begin here, and a quote
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		switch {
		case first && r == '#':
			return append(out, line[start:])
		case open && (r == '"' || r == '\''):
			_, end, err := (&lexer{line: line}).quoted(i)
			if err != nil {
				return append(out, line[start:])
			}
			n = end - i
			first, open = false, false
		case r == ';':
			out = append(out, line[start:i])
			start = i + n
			first, open = true, true
		default:
			first = unicode.IsSpace(r)
			open = first || r == '=' || r == '~'
		}
		i += n
	}
	return append(out, line[start:])
}

// Quote writes a word so that Split and SplitVars read it back as text. Control characters, which no line may have, are left out,
// but for line ends and tabs.
func Quote(s string) string {
	if isBare(s) {
		return s // as nearly all are, and completion asks for each member at each key
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	plain := s != "" && s[0] != '-' && !refers(s)
	for i, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || i == 0 && strings.ContainsRune("\"'#", r) ||
			r == '"' || r == '\'' || r == ';' {
			plain = false
		}
	}
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// isBare reports whether s is of letters, digits and a few signs that nowhere mean more than themselves.
func isBare(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == ':', c == '/', c == '_', c == '-' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// refers reports whether a variable may be meant somewhere in s.
func refers(s string) bool {
	for i := range len(s) - 1 {
		if s[i] == '$' && (s[i+1] == '{' || nameLength(s[i+1:]) > 0) {
			return true
		}
	}
	return false
}

// Join writes words as a line that Split reads back as the same words. Columns may differ.
func Join(words []Word) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = join(w)
	}
	return strings.Join(parts, " ")
}

func join(w Word) string {
	i := strings.IndexAny(w.Text, "=~")
	if name := w.Text[:max(i, 0)]; w.Quoted || !strings.HasPrefix(w.Text, "-") || strings.ContainsFunc(name, unicode.IsSpace) ||
		i < 0 && strings.ContainsFunc(w.Text, unicode.IsSpace) { // the value of a variable, and no flag
		return Quote(w.Text)
	}
	if i >= 0 { // a quote may open behind these
		return w.Text[:i+1] + Quote(w.Text[i+1:])
	}
	return w.Text
}

// source is the text that the words stand for, as it was typed.
func source(words []Word) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			before := words[i-1]
			b.WriteString(strings.Repeat(" ", w.Col-before.Col-len(before.Raw)))
		}
		b.WriteString(w.Raw)
	}
	return b.String()
}
