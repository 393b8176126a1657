//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"fmt"
	"slices"

	prompt "github.com/c-bata/go-prompt"
)

const (
	// maxOffers is the most offers in the popup, over all its pages.
	maxOffers = 200
	// popupRows is the most rows of the popup.
	popupRows = 6
	// popupCols is the narrowest popup that go-prompt can draw.
	popupCols = 8
)

// popup is the offers of the last key, and which of them go-prompt shows: it tells nobody.
type popup struct {
	rows, cols int    // of the window
	high       int    // how many offers are on the screen at a time
	head       string // the text before the cursor that they are for
	tail       string // the text behind the cursor
	offers     []prompt.Suggest
	all        int // how many there are, with those that are too many for offers
	selected   int // as go-prompt counts: -1 when none is
	first      int // the offer in the first row
}

func (p *popup) resize(rows, cols int) { p.rows, p.cols = rows, cols }

// height is how many rows there are for offers below a line of that width: go-prompt clears the
// screen when line and popup do not fit.
func (p *popup) height(width int) int {
	return max(0, min(popupRows, p.rows-width/p.cols-3))
}

// choose moves the selection as go-prompt's CompletionManager does.
func (p *popup) choose(key prompt.Key) {
	switch {
	case key == prompt.Tab, key == prompt.Down && p.selected >= 0:
		if p.first+p.high-1 == p.selected {
			p.first++
		}
		p.selected++
	case key == prompt.BackTab, key == prompt.Up && p.selected >= 0:
		if p.first == p.selected && p.selected > 0 {
			p.first--
		}
		p.selected--
	}
	switch {
	case p.selected >= len(p.offers):
		p.selected, p.first = -1, 0
	case p.selected < -1:
		p.selected = len(p.offers) - 1
		p.first = len(p.offers) - min(p.high, len(p.offers))
	}
}

// shown are the offers; the last one on the screen says how many more there are.
func (p *popup) shown() []prompt.Suggest {
	last := min(p.first+p.high, len(p.offers)) - 1
	more := p.all - last - 1
	if last < 0 || more <= 0 {
		return p.offers
	}
	out := slices.Clone(p.offers)
	hint := fmt.Sprintf("… %d more", more)
	if out[last].Description != "" {
		hint = out[last].Description + "  " + hint
	}
	out[last].Description = hint
	return out
}
