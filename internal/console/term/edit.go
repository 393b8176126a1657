package term

import (
	"slices"
	"unicode"

	prompt "github.com/c-bata/go-prompt"
)

// editor is what go-prompt's own keys lack: words, and a place for what was cut. It is used by go-prompt's goroutine.
type editor struct {
	cut string // what Ctrl-Y puts back
}

// own marks keys that are handled here, and not by go-prompt, which would take most of them for text.
const own = "\x00"

// edit is what a key does.
type edit struct {
	keys []string // as terminals send them
	do   func(*editor, *prompt.Buffer)
}

// edits are the keys of readline that go-prompt does not have, or does not do well.
func edits() []edit {
	return []edit{
		{[]string{"\x1bb", "\x1bB", "\x1b[1;5D", "\x1b[1;3D", "\x1b[5D", "\x1b[Od"}, (*editor).wordLeft},
		{[]string{"\x1bf", "\x1bF", "\x1b[1;5C", "\x1b[1;3C", "\x1b[5C", "\x1b[Oc"}, (*editor).wordRight},
		{[]string{"\x1bd", "\x1bD", "\x1b[3;5~"}, (*editor).cutWordRight},
		{[]string{"\x1b\x7f", "\x1b\b"}, (*editor).cutWordLeft},
		{[]string{"\x17"}, (*editor).cutBlankLeft},          // Ctrl-W
		{[]string{"\x15"}, (*editor).cutLeft},               // Ctrl-U
		{[]string{"\x0b"}, (*editor).cutRight},              // Ctrl-K
		{[]string{"\x19"}, (*editor).yank},                  // Ctrl-Y
		{[]string{"\x14"}, (*editor).swap},                  // Ctrl-T
		{[]string{"\x0f", "\x11", "\x13", "\x16"}, nothing}, // Ctrl-O, -Q, -S and -V, which would be text or stop the terminal elsewhere
	}
}

func nothing(*editor, *prompt.Buffer) {}

// ownKeys are the keys of edits.
func ownKeys() map[string]bool {
	keys := map[string]bool{}
	for _, e := range edits() {
		for _, k := range e.keys {
			keys[k] = true
		}
	}
	return keys
}

// bind makes go-prompt call edits.
func (e *editor) bind() prompt.Option {
	var binds []prompt.ASCIICodeBind
	for _, edit := range edits() {
		for _, key := range edit.keys {
			binds = append(binds, prompt.ASCIICodeBind{ASCIICode: []byte(own + key), Fn: func(b *prompt.Buffer) { edit.do(e, b) }})
		}
	}
	return prompt.OptionAddASCIICodeBind(binds...)
}

// around is the text before and behind the cursor.
func around(b *prompt.Buffer) (head, tail []rune) {
	d := b.Document()
	return []rune(d.TextBeforeCursor()), []rune(d.TextAfterCursor())
}

// put replaces the whole line; the cursor stands between head and tail.
func put(b *prompt.Buffer, head, tail []rune) {
	before, behind := around(b)
	b.CursorRight(len(behind))
	b.DeleteBeforeCursor(len(before) + len(behind))
	b.InsertText(string(head)+string(tail), false, true)
	b.CursorLeft(len(tail))
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func isBlack(r rune) bool { return !unicode.IsSpace(r) }

// wordStart is where the word before the end of text begins.
func wordStart(text []rune, in func(rune) bool) int {
	i := len(text)
	for i > 0 && !in(text[i-1]) {
		i--
	}
	for i > 0 && in(text[i-1]) {
		i--
	}
	return i
}

// wordEnd is where the next word of text ends.
func wordEnd(text []rune) int {
	i := 0
	for i < len(text) && !isWord(text[i]) {
		i++
	}
	for i < len(text) && isWord(text[i]) {
		i++
	}
	return i
}

func (*editor) wordLeft(b *prompt.Buffer) {
	head, _ := around(b)
	b.CursorLeft(len(head) - wordStart(head, isWord))
}

func (*editor) wordRight(b *prompt.Buffer) {
	_, tail := around(b)
	b.CursorRight(wordEnd(tail))
}

func (e *editor) cutWordRight(b *prompt.Buffer) {
	head, tail := around(b)
	e.take(b, head, tail[:wordEnd(tail)], tail[wordEnd(tail):])
}

func (e *editor) cutWordLeft(b *prompt.Buffer) { e.cutFrom(b, isWord) }

func (e *editor) cutBlankLeft(b *prompt.Buffer) { e.cutFrom(b, isBlack) }

func (e *editor) cutFrom(b *prompt.Buffer, in func(rune) bool) {
	head, tail := around(b)
	start := wordStart(head, in)
	e.take(b, head[:start], head[start:], tail)
}

func (e *editor) cutLeft(b *prompt.Buffer) {
	head, tail := around(b)
	e.take(b, nil, head, tail)
}

func (e *editor) cutRight(b *prompt.Buffer) {
	head, tail := around(b)
	e.take(b, head, tail, nil)
}

// take cuts the text between head and tail.
func (e *editor) take(b *prompt.Buffer, head, cut, tail []rune) {
	if len(cut) == 0 {
		return
	}
	e.cut = string(cut)
	put(b, head, tail)
}

func (e *editor) yank(b *prompt.Buffer) { b.InsertText(e.cut, false, true) }

// swap exchanges the characters before and at the cursor, or the last two of the line, and moves on.
func (*editor) swap(b *prompt.Buffer) {
	head, tail := around(b)
	text, at := slices.Concat(head, tail), len(head)
	if at == len(text) {
		at--
	}
	if at < 1 {
		return
	}
	text[at-1], text[at] = text[at], text[at-1]
	put(b, text[:at+1], text[at+1:])
}
