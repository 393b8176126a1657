package command

import "strings"

// Nearest returns the candidate with the smallest edit distance to s, if that is at most two
// and less than half of the word; else "". With several equally near, the first.
func Nearest(s string, candidates []string) string {
	best, found := 3, ""
	for _, c := range candidates {
		if d := distance(s, c); d < best && 2*d <= max(len(s), len(c)) {
			best, found = d, c
		}
	}
	return found
}

// Near returns the command of one word that may have been meant by a word which differs in one letter; "" if there is none.
func (t *Table) Near(word string) string {
	var names []string
	for _, name := range t.names() {
		if !strings.Contains(name, " ") {
			names = append(names, name)
		}
	}
	if near := Nearest(word, names); distance(word, near) == 1 {
		return near
	}
	return ""
}

// distance is the optimal string alignment distance (Damerau 1964): insertions, deletions,
// substitutions and swaps of neighbours, in bytes.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
