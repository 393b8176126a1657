package command

import (
	"strings"
	"unicode"
)

// Clean makes text safe for a terminal: control characters (C0, C1, DEL), the invisible
// characters that reorder a line (Unicode "bidi" controls, see CVE-2021-42574) and line separators are
// dropped, a tab or line end becomes a blank, and invalid UTF-8 becomes U+FFFD.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r), r == '\u2028', r == '\u2029',
			r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f', r == '\u061c':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
