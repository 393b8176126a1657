package term

import (
	"testing"

	prompt "github.com/c-bata/go-prompt"
	"pgregory.net/rapid"
)

// press gives a key to the editor, with the cursor where | is.
func press(e *editor, text, key string) string {
	b := prompt.NewBuffer()
	head, tail := text, ""
	for i, r := range text {
		if r == '|' {
			head, tail = text[:i], text[i+1:]
		}
	}
	b.InsertText(head+tail, false, true)
	b.CursorLeft(len([]rune(tail)))
	for _, edit := range edits() {
		for _, k := range edit.keys {
			if k == key {
				edit.do(e, b)
			}
		}
	}
	d := b.Document()
	return d.TextBeforeCursor() + "|" + d.TextAfterCursor()
}

func TestEdits(t *testing.T) {
	t.Parallel()
	const altB, altF, altD, altBackspace = "\x1bb", "\x1bf", "\x1bd", "\x1b\x7f"
	const ctrlW, ctrlU, ctrlK, ctrlT = "\x17", "\x15", "\x0b", "\x14"
	for _, tc := range []struct{ text, key, want, cut string }{
		{"member info --all|", altB, "member info --|all", ""},
		{"member info| --all", altB, "member |info --all", ""},
		{"|member", altB, "|member", ""},
		{"grüße 世界|", "\x1b[1;5D", "grüße |世界", ""},
		{"grü|ße 世界 x", altF, "grüße| 世界 x", ""},
		{"grüße| 世界 x", "\x1b[1;5C", "grüße 世界| x", ""},
		{"x|", altF, "x|", ""},
		{"member |info --all", altD, "member | --all", "info"},
		{"member| info --all", "\x1b[3;5~", "member| --all", " info"},
		{"say --grüße|!", altBackspace, "say --|!", "grüße"},
		{"say --grüße  |!", ctrlW, "say |!", "--grüße  "},
		{"|say", ctrlW, "|say", ""},
		{"say grü|ße", ctrlU, "|ße", "say grü"},
		{"say grü|ße 世", ctrlK, "say grü|", "ße 世"},
		{"grü|世", ctrlT, "gr世ü|", ""},
		{"grü世|", ctrlT, "gr世ü|", ""},
		{"|ab", ctrlT, "|ab", ""},
		{"a|", ctrlT, "a|", ""},
		{"a|b", "\x13", "a|b", ""},
	} {
		e := &editor{}
		if got := press(e, tc.text, tc.key); got != tc.want || e.cut != tc.cut {
			t.Errorf("%q in %q: %q, %q is cut; want %q, %q", tc.key, tc.text, got, e.cut, tc.want, tc.cut)
		}
	}
	e := &editor{}
	if got := press(e, press(e, "say grüße|", ctrlW), "\x19"); got != "say grüße|" {
		t.Errorf("cut and put back: %q", got)
	}
}

// No key loses or tears text, whatever stands around the cursor.
func TestEditsKeepTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOf(rapid.SampledFrom([]rune("ab üß世界👍-. \u0301")))
		e := &editor{cut: "yanked"}
		b := prompt.NewBuffer()
		b.InsertText(word.Draw(t, "text"), false, true)
		for range rapid.IntRange(1, 8).Draw(t, "keys") {
			b.CursorLeft(rapid.IntRange(0, len([]rune(b.Text()))).Draw(t, "left"))
			edit := rapid.SampledFrom(edits()).Draw(t, "edit")
			edit.do(e, b)
			if head, tail := around(b); string(head)+string(tail) != b.Text() {
				t.Fatalf("%q and %q of %q", string(head), string(tail), b.Text())
			}
		}
	})
}
