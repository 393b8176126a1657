package term

import runewidth "github.com/mattn/go-runewidth"

// cursor follows where the terminal's cursor is, relative to the start of the prompt.
type cursor struct {
	cols int
	x, y int // x is cols after the last column was written: the next character wraps
}

// write moves behind text.
func (c *cursor) write(text string) {
	if w := runewidth.StringWidth(text); c.x+w <= c.cols {
		c.x += w
		return
	}
	for _, r := range text {
		w := runewidth.RuneWidth(r)
		if c.x+w > c.cols {
			c.feed()
		}
		c.x += w
	}
}

// feed moves to the start of the next row.
func (c *cursor) feed() {
	c.x = 0
	c.y++
}

// move moves within a row; the margins stop it.
func (c *cursor) move(n int) {
	c.x = max(0, min(c.x, c.cols-1)+n)
	c.x = min(c.x, c.cols-1)
}
