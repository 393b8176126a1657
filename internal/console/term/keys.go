package term

import (
	"unicode/utf8"

	prompt "github.com/c-bata/go-prompt"

	"peerlab.example/peerlab/internal/command"
)

// The keys that mean something to the parser itself.
const (
	keyInterrupt = 0x03
	keyEOF       = 0x04
	keyTab       = '\t'
	keyEscape    = 0x1b
)

// What a terminal sends around pasted text, once it is told to (xterm, "bracketed paste mode").
const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
	pasteOn    = "\x1b[?2004h"
	pasteOff   = "\x1b[?2004l"
)

// pastedKey is a key of a paste as if it had been typed: text stays, line ends run the lines, a tab does not complete,
// and nothing else does anything.
func pastedKey(key []byte) []byte {
	switch c := key[0]; {
	case c == '\r' || c == '\n':
		return []byte{'\r'}
	case c == '\t':
		return []byte{' '}
	case c < ' ' || c == 0x7f:
		return nil
	}
	return key
}

// splitKeys cuts what a terminal sent into the keys that go-prompt knows: control characters and escape
// sequences one by one, and the text between them in one piece. Sequences that go-prompt does
// not know are dropped: it would insert them as text. rest is a sequence or a character that has not
// ended yet; with final set there is none, because nothing more will come.
func splitKeys(data []byte, final bool) (keys [][]byte, rest []byte) {
	ours := ownKeys()
	cr := false // whether the key before was a carriage return
	for len(data) > 0 {
		var key []byte
		n := 1
		switch c := data[0]; {
		case c == keyEscape:
			if n = sequence(data); n == 0 {
				if !final {
					return keys, data
				}
				n = len(data)
			}
			if key = known(data[:n]); ours[string(data[:n])] {
				key = []byte(own + string(data[:n]))
			}
		case c == '\n' && cr: // the two bytes of one line end
		case c < ' ' || c == 0x7f:
			if key = data[:1]; ours[string(key)] {
				key = []byte(own + string(key))
			} else if c == 0 {
				key = nil
			}
		default:
			if n = textLength(data, final); n == 0 {
				return keys, data
			}
			key = []byte(command.Clean(string(data[:n])))
		}
		if len(key) > 0 {
			keys = append(keys, key)
		}
		cr = data[0] == '\r'
		data = data[n:]
	}
	return keys, nil
}

// sequence is the length of the escape sequence that data begins with, or 0 if its end is missing.
func sequence(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch c := data[1]; {
	case c == keyEscape, c < ' ' && c != '\b': // Escape, and another key
		return 1
	case c == 'O': // SS3: function keys, and arrows in application mode
		if len(data) < 3 {
			return 0
		}
		return 3
	case c == '[':
		return controlSequence(data)
	}
	_, n := utf8.DecodeRune(data[1:]) // a key with Alt
	return 1 + n
}

// controlSequence is sequence for CSI (ECMA-48, 5.4): parameters, then one final byte.
func controlSequence(data []byte) int {
	i := 2
	if len(data) > i && data[i] == '[' { // function keys of the Linux console
		i++
	}
	for ; i < len(data); i++ {
		switch c := data[i]; {
		case c >= 0x40 && c <= 0x7e:
			return i + 1
		case c < ' ' || c > 0x7e:
			return i // no sequence after all
		}
	}
	return 0
}

// known returns a sequence if go-prompt knows it, and else nil.
func known(seq []byte) []byte {
	switch string(seq) {
	case "\x1bOH":
		seq = []byte("\x1b[H")
	case "\x1bOF":
		seq = []byte("\x1b[F")
	}
	if text := string(seq); text != pasteBegin && text != pasteEnd && prompt.GetKey(seq) == prompt.NotDefined {
		return nil
	}
	return seq
}

// textLength is how many bytes of text data begins with, without a character that has not ended.
func textLength(data []byte, final bool) int {
	n := 0
	for n < len(data) && data[n] >= ' ' && data[n] != 0x7f {
		if !final && !utf8.FullRune(data[n:]) {
			break
		}
		_, size := utf8.DecodeRune(data[n:])
		n += size
	}
	return n
}
