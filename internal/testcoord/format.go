package testcoord

import (
	"slices"
	"strings"
	"unicode/utf8"

	"peerlab.example/peerlab/internal/command"
)

// Columns of what Format aligns.
const (
	// minColumn is where the second column begins at least, in characters from 0: behind the longest of "section", "timeout"
	// and "profile", which most suites have.
	minColumn = 8
	// maxFirst is the longest name that moves the second column.
	maxFirst = 20
)

// Format aligns the second column of a suite, where what follows the first word begins: WHO before the command, "expect" before
// its WHO, NAME = before its value. It changes nothing but the blanks between these two; a longer first word has one. Lines that
// cannot be split into words stay as they are.
func Format(src []byte) []byte {
	lines := strings.SplitAfter(string(src), "\n")
	column := secondColumn(lines)
	var b strings.Builder
	for _, l := range lines {
		first, gap, rest := columns(l)
		b.WriteString(first)
		if rest == "" {
			b.WriteString(gap)
			continue
		}
		inner := strings.TrimLeft(first, " \t")
		b.WriteString(strings.Repeat(" ", max(1, column-utf8.RuneCountInString(afterConditions(inner)))))
		b.WriteString(rest)
	}
	return []byte(b.String())
}

// secondColumn is behind the longest name that begins a line; lists and words of the language do not count.
func secondColumn(lines []string) int {
	column := minColumn
	reserved := words()
	for _, l := range lines {
		first, _, rest := columns(l)
		first = afterConditions(strings.TrimLeft(first, " \t"))
		_, word := reserved[first]
		if n := utf8.RuneCountInString(first); rest != "" && !word && n <= maxFirst && validName.MatchString(first) {
			column = max(column, n+1)
		}
	}
	return column
}

// columns cuts a line behind its first column and before its second; gap is the blanks between them. What has no two
// columns is in first alone.
func columns(l string) (first, gap, rest string) {
	body := strings.TrimRight(l, "\r\n")
	if strings.HasPrefix(body, "\ufeff") { // only the first line, which then stays as it is
		return l, "", ""
	}
	words, err := command.SplitScript(body)
	if err != nil {
		return l, "", ""
	}
	n := firstColumn(words)
	if n == 0 || n >= len(words) {
		return l, "", ""
	}
	end, next := words[n-1].Col-1+len(words[n-1].Raw), words[n].Col-1
	return l[:end], l[end:next], l[next:]
}

// firstColumn is how many words make the first column: conditions, and "! WHO" or "NAME =" as one.
func firstColumn(words []command.Word) int {
	n := 0
	for n < len(words) && isCondition(words[n]) {
		n++
	}
	rest := words[n:]
	switch {
	case len(rest) == 0:
		return 0
	case rest[0].Raw == "!" || rest[0].Raw == "?", len(rest) > 1 && rest[1].Raw == "=":
		return n + 2
	}
	return n + 1
}

func isCondition(w command.Word) bool { return strings.HasPrefix(w.Raw, "[") }

// afterConditions is the first column without the conditions before it, which move the line as a whole.
func afterConditions(first string) string {
	words, err := command.SplitScript(first)
	if err != nil {
		return first
	}
	i := slices.IndexFunc(words, func(w command.Word) bool { return !isCondition(w) })
	if i < 0 {
		return first
	}
	return first[words[i].Col-1:]
}
