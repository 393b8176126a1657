package term

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	prompt "github.com/c-bata/go-prompt"
)

func TestSplitKeys(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, keys, rest string }{
		{"", `[]`, ""},
		{"status\r", `["status" "\r"]`, ""},
		{"one\r\ntwo\n\n", `["one" "\r" "two" "\n" "\n"]`, ""},
		{"a\tb\x7f\x03", `["a" "\t" "b" "\x7f" "\x03"]`, ""},
		{"\x1b[A\x1b[3~x\x1bOA", `["\x1b[A" "\x1b[3~" "x" "\x1bOA"]`, ""},
		{"\x1b[200~pasted\x1b[201~", `["\x1b[200~" "pasted" "\x1b[201~"]`, ""},
		{"\x1bOH\x1bOF", `["\x1b[H" "\x1b[F"]`, ""},
		{"\x1b[[B\x1b[1;5C", `["\x1b[[B" "\x00\x1b[1;5C"]`, ""},
		{"\x1b\x03\x1b\r", `["\x1b" "\x03" "\x1b" "\r"]`, ""},
		{"\x1b\x1b[A", `["\x1b" "\x1b[A"]`, ""},
		{"\x1bb\x1bé!\x17", `["\x00\x1bb" "!" "\x00\x17"]`, ""},
		{"x\x1b", `["x"]`, "\x1b"},
		{"x\x1b[1;", `["x"]`, "\x1b[1;"},
		{"gr\xc3", `["gr"]`, "\xc3"},
		{"\xe4\xb8", `[]`, "\xe4\xb8"},
		{"gr\xc3\xbc\xff世\x00", `["grü` + "\ufffd" + `世"]`, ""},
		{"a\u202eb\u0085", `["ab"]`, ""},
		{"\x1b[\x03", `["\x03"]`, ""},
	} {
		keys, rest := splitKeys([]byte(tc.in), false)
		if got := fmt.Sprintf("%q", keys); got != tc.keys || string(rest) != tc.rest {
			t.Errorf("%q: keys %s, rest %q; want %s, %q", tc.in, got, rest, tc.keys, tc.rest)
		}
	}
	if keys, rest := splitKeys([]byte("\x1b"), true); len(rest) > 0 || len(keys) != 1 || prompt.GetKey(keys[0]) != prompt.Escape {
		t.Errorf("Escape alone: %q, %q", keys, rest)
	}
}

// However the input is cut into chunks, the keys are the same, and go-prompt never gets a control
// character as text.
func FuzzSplitKeys(f *testing.F) {
	for _, s := range []string{"one\r\x1b[A", "\x1b[[B\x1bOP", "\xe4\xb8\x96\x1b\x1b", "a\r\nb\x1b[1;5C\xff"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		ours := ownKeys()
		whole, rest := splitKeys(data, true)
		if len(rest) > 0 {
			t.Fatalf("%q is left of all", rest)
		}
		for _, k := range whole {
			if len(k) == 0 {
				t.Fatalf("an empty key of %q", data)
			}
			paste := string(k) == pasteBegin || string(k) == pasteEnd
			text := prompt.GetKey(k) == prompt.NotDefined && !paste && !(string(k[:1]) == own && ours[string(k[1:])])
			if text && (!utf8.Valid(k) || bytes.ContainsAny(k, "\x1b\r\n\t\x03\x7f")) {
				t.Fatalf("key %q of %q", k, data)
			}
		}
		if len(data) == 0 || !utf8.Valid(data) { // a run of invalid bytes is one mark
			return
		}
		at = (at%len(data) + len(data)) % len(data)
		first, rest := splitKeys(data[:at], false)
		second, _ := splitKeys(append(bytes.Clone(rest), data[at:]...), true)
		crlf := at > 0 && data[at-1] == '\r' && data[at] == '\n' // is one Enter only within a chunk
		if a, b := join(whole), join(append(first, second...)); a != b && !crlf {
			t.Fatalf("%q: keys %q, but %q when cut at %d", data, a, b, at)
		}
	})
}

func join(keys [][]byte) string { return string(bytes.Join(keys, nil)) }
