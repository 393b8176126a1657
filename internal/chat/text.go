package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// MaxText is the longest message in bytes: long enough for a screenful, and far below gRPC's limit of 4 MiB.
const MaxText = 8 << 10

// checkText makes text fit to be sent: valid UTF-8 without control characters, not empty, not too long.
func checkText(text string) (string, error) {
	cleaned := clean(text)
	if n := max(len(text), len(cleaned)); n > MaxText { // a byte that is no UTF-8 is replaced by three
		return "", fmt.Errorf("the message has %d bytes; %d is the most", n, MaxText)
	}
	if cleaned == "" {
		return "", errors.New("the message is empty")
	}
	return cleaned, nil
}

// clean makes a peer's text safe to show: one line, nothing that steers a terminal or reorders the line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.TrimSpace(s)
}
