//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"context"
	"strings"
	"sync"

	prompt "github.com/c-bata/go-prompt"
	runewidth "github.com/mattn/go-runewidth"

	"peerlab.example/peerlab/internal/command"
)

// complete is go-prompt's Completer. go-prompt asks after each key; and, with an empty text and no key,
// before it handles most keys.
func (f *front) complete(d prompt.Document) []prompt.Suggest {
	head, tail := d.TextBeforeCursor(), d.TextAfterCursor()
	key := d.LastKeyStroke()
	if key == prompt.ControlD {
		f.parser.release()
	}
	if chooses(key) && head == f.popup.head && tail == f.popup.tail && f.popup.offers != nil {
		f.popup.choose(key)
		return f.popup.shown() // the same ones: go-prompt panics when they get fewer under the selection
	}
	if head+tail == "" && key == prompt.Escape {
		return nil // before a key, where go-prompt still needs the prefix that it has drawn
	}
	f.look(f.popup.cols)
	f.remember(head+tail, key)
	rows := f.fit(head + tail)
	f.popup = popup{rows: f.popup.rows, cols: f.popup.cols, high: rows, head: head, tail: tail, selected: -1}
	room := f.popup.cols - runewidth.StringWidth(f.prefix.get()) - 1
	if rows > 0 && room >= popupCols && (head+tail != "" || key == prompt.Tab) {
		f.offer()
	}
	return f.popup.shown()
}

// chooses reports whether a key moves the selection.
func chooses(key prompt.Key) bool {
	return key == prompt.Tab || key == prompt.BackTab || key == prompt.Up || key == prompt.Down
}

// offer asks the backend.
func (f *front) offer() {
	p := &f.popup
	offers, start := f.Backend.Complete(context.Background(), p.head+p.tail, len(p.head))
	if start != strings.LastIndexByte(p.head, ' ')+1 {
		return // go-prompt would replace another word
	}
	for _, o := range offers {
		if command.Clean(o.Text) != o.Text {
			continue
		}
		if p.all++; p.all <= maxOffers {
			p.offers = append(p.offers, prompt.Suggest{Text: o.Text, Description: command.Clean(o.Description)})
		}
	}
}

// fit gives the popup as many rows as there are below the text.
func (f *front) fit(text string) int {
	rows := f.popup.height(runewidth.StringWidth(f.prefix.get()) + runewidth.StringWidth(text))
	f.set(prompt.OptionMaxSuggestion(uint16(rows))) //nolint:gosec // at most popupRows
	return rows
}

// look takes the prefix and its colour from the peer. It is called by go-prompt's goroutine, before it draws.
func (f *front) look(cols int) {
	alarm := f.Alarm()
	f.prefix.set(f.Prefix(), alarm, cols)
	color := prompt.Blue
	if alarm {
		color = prompt.Red
	}
	f.set(prompt.OptionPrefixTextColor(color))
}

// prefix is what the prompt shows before the line.
type prefix struct {
	mu    sync.Mutex
	full  string // guarded by mu
	alarm bool   // guarded by mu
	text  string // guarded by mu; full, cleaned and cut to half of the width
}

func (p *prefix) get() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text
}

func (p *prefix) set(full string, alarm bool, cols int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full, p.alarm = full, alarm
	p.text = command.Clean(full)
	if runewidth.StringWidth(p.text) > max(cols/2, 2) {
		p.text = runewidth.Truncate(p.text, max(cols/2, 2), "> ")
	}
}

func (p *prefix) changed(full string, alarm bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.full != full || p.alarm != alarm
}
