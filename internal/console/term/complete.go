//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"context"
	"math"
	"strings"
	"sync"

	prompt "github.com/c-bata/go-prompt"
	runewidth "github.com/mattn/go-runewidth"

	"peerlab.example/peerlab/internal/command"
)

const (
	// maxOffers is the most offers in the popup, over all its pages.
	maxOffers = 200
	// popupRows is the most rows of the popup.
	popupRows = 6
	// popupCols is the narrowest popup that go-prompt can draw.
	popupCols = 8
)

// popup is the offers of the last key.
type popup struct {
	rows, cols int
	head       string // the text before the cursor that they are for
	tail       string // the text behind the cursor
	offers     []prompt.Suggest
}

func (p *popup) resize(rows, cols int) { p.rows, p.cols = rows, cols }

// height is how many rows there are for offers below a line of that width: go-prompt clears the
// screen when line and popup do not fit.
func (p *popup) height(width int) int {
	return max(0, min(popupRows, p.rows-width/p.cols-3))
}

// complete is go-prompt's Completer. go-prompt asks after each key; and, with an empty text and no key,
// before it handles most keys.
func (f *front) complete(d prompt.Document) []prompt.Suggest {
	head, tail := d.TextBeforeCursor(), d.TextAfterCursor()
	key := d.LastKeyStroke()
	if chooses(key) && head == f.popup.head && tail == f.popup.tail && f.popup.offers != nil {
		return f.popup.offers // as they are: go-prompt panics when they get fewer under the selection
	}
	if head+tail == "" && key == prompt.Escape {
		return nil // before a key, where go-prompt still needs the prefix that it has drawn
	}
	f.look(f.popup.cols)
	f.popup.head, f.popup.tail, f.popup.offers = head, tail, nil
	rows := f.fit(head + tail)
	room := f.popup.cols - runewidth.StringWidth(f.prefix.get()) - 1
	if rows > 0 && room >= popupCols && (head+tail != "" || key == prompt.Tab) {
		f.popup.offers = f.offers(head, tail)
	}
	return f.popup.offers
}

// chooses reports whether a key moves the selection.
func chooses(key prompt.Key) bool {
	return key == prompt.Tab || key == prompt.BackTab || key == prompt.Up || key == prompt.Down
}

// offers asks the backend.
func (f *front) offers(head, tail string) []prompt.Suggest {
	offers, start := f.Backend.Complete(context.Background(), head+tail, len(head))
	if start != strings.LastIndexByte(head, ' ')+1 {
		return nil // go-prompt would replace another word
	}
	var out []prompt.Suggest
	for _, o := range offers[:min(len(offers), maxOffers)] {
		if command.Clean(o.Text) == o.Text {
			out = append(out, prompt.Suggest{Text: o.Text, Description: command.Clean(o.Description)})
		}
	}
	return out
}

// fit gives the popup as many rows as there are below the text.
func (f *front) fit(text string) int {
	rows := f.popup.height(runewidth.StringWidth(f.prefix.get()) + runewidth.StringWidth(text))
	f.set(prompt.OptionMaxSuggestion(uint16(rows))) //nolint:gosec // at most popupRows
	return rows
}

// recalled is what Ctrl-R found last.
type recalled struct {
	search, line string
	n            int // the number of line
}

// recall is Ctrl-R: it puts the newest line of the history that contains the text in its place;
// pressed again, the one before.
func (f *front) recall(b *prompt.Buffer) {
	text := b.Text()
	if text == "" || text != f.recalled.line {
		f.recalled = recalled{search: text, n: math.MaxInt}
	}
	lines := f.History.Find(f.recalled.search)
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i].N >= f.recalled.n || lines[i].Line == text {
			continue
		}
		f.recalled.line, f.recalled.n = lines[i].Line, lines[i].N
		put(b, []rune(lines[i].Line), nil)
		return
	}
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
