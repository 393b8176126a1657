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
	if len(text) > MaxText {
		return "", fmt.Errorf("the message has %d bytes; %d is the most", len(text), MaxText)
	}
	if text = clean(text); text == "" {
		return "", errors.New("the message is empty")
	}
	return text, nil
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
