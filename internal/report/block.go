package report

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
)

// Limits of a page, so that it stays under 5 MB and a browser has it at once, whatever peers do. What is
// beyond them is in events.jsonl, and the page says how much it leaves out.
const (
	// PageEvents is how many events a page holds.
	PageEvents = 120_000
	// pageText is how much text of peers a page holds, in bytes; pageWords is how many different texts.
	pageText  = 1_500_000
	pageWords = 60_000
	// textShown is how much of one text is kept, in runes.
	textShown = 200
)

// block is a piece of the event log as the page reads it: texts once, in tables to which each block adds, and
// the events as columns of numbers. A page holds one block, a live one gets another every now and then.
type block struct {
	// Words are texts; an index into the table of words stands for one of them.
	Words []string `json:"w"`
	// Messages are the application messages, each as [prefix of the id, the rest of it, sender, text, application, receivers…]; the second
	// is text, the others are words.
	Messages [][]any `json:"m"`
	// Columns, one number for each event:
	Time  []int64 `json:"t"` // microseconds since the event before
	Kind  []int   `json:"k"` // word
	Node  []int   `json:"n"` // word
	Seq   []int64 `json:"s"` // since the event of the node before
	About []int   `json:"a"` // by kind: a word, or a message
	Extra []int   `json:"b"` // by kind: a word, or a flag
	// Fresh are the places of those events with which a life begins.
	Fresh []int `json:"f,omitempty"`
	// Left is how many events were left out in all, because the page was full.
	Left int `json:"left"`
}

// encoder makes blocks. The zero value is not ready: use newEncoder.
type encoder struct {
	words    map[string]int
	messages map[string]int
	bytes    int // of words
	events   int
	left     int
	last     int64
	seqs     map[string]int64
	lives    map[string]int // which life of a node the newest event is of
	next     block          // since the last take
}

func newEncoder() *encoder {
	return &encoder{words: map[string]int{}, messages: map[string]int{}, seqs: map[string]int64{}, lives: map[string]int{}}
}

// take returns what was added since the last take.
func (c *encoder) take() block {
	b := c.next
	b.Left = c.left
	c.next = block{}
	return b
}

// pending is whether take has something to return.
func (c *encoder) pending() bool { return len(c.next.Time) > 0 || len(c.next.Words) > 0 }

// tooMuch stands for texts for which there is no room.
const tooMuch = "… (no room for more text: see events.jsonl)"

// word is the index of a text.
func (c *encoder) word(s string) int {
	if i, ok := c.words[s]; ok {
		return i
	}
	short := shorten(command.Clean(s))
	if i, ok := c.words[short]; ok && short != s {
		return i
	}
	if c.bytes+len(short) > pageText || len(c.words) >= pageWords {
		if s == tooMuch {
			return 0
		}
		short = tooMuch
		if i, ok := c.words[short]; ok {
			return i
		}
	}
	i := len(c.words)
	c.words[short] = i
	c.bytes += len(short)
	c.next.Words = append(c.next.Words, short)
	return i
}

func shorten(s string) string { return cutTo(s, textShown) }

// cutTo cuts a text to so many runes.
func cutTo(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// add takes an event in; it reports false when the page is full.
func (c *encoder) add(e Event) bool {
	if c.events >= PageEvents {
		c.left++
		return false
	}
	c.events++
	b := &c.next
	at := e.At.Microseconds()
	about, extra := c.about(e)
	b.Time = append(b.Time, at-c.last)
	c.last = at
	kind := event.Kind(e.Event)
	if custom := e.GetCustom(); custom != nil {
		kind = custom.GetApp() + "/" + kind // what an application tells is not taken for one of our kinds
	}
	b.Kind = append(b.Kind, c.word(kind))
	b.Node = append(b.Node, c.word(e.GetNode()))
	c.begin(e)
	seq := int64(e.GetSeq()) //nolint:gosec // counts from 1
	b.Seq = append(b.Seq, seq-c.seqs[e.GetNode()])
	c.seqs[e.GetNode()] = seq
	b.About, b.Extra = append(b.About, about), append(b.Extra, extra)
	return true
}

// begin marks an event with which a life begins. What a coordinator noted of a peer is no event of a life.
func (c *encoder) begin(e Event) {
	last, known := c.lives[e.GetNode()]
	if e.GetSeq() == 0 || known && last == e.Life {
		return
	}
	c.lives[e.GetNode()] = e.Life
	c.next.Fresh = append(c.next.Fresh, len(c.next.Seq))
}

// about are the two columns that depend on the kind.
func (c *encoder) about(e Event) (about, extra int) {
	for _, m := range []interface {
		GetPeer() string
		GetId() string
	}{e.GetJoined(), e.GetSuspected(), e.GetRecovered(), e.GetLeft(), e.GetLost(), e.GetUpdated()} {
		if m.GetPeer() != "" || m.GetId() != "" {
			return c.word(m.GetPeer()), c.word(m.GetId())
		}
	}
	switch {
	case e.GetSent() != nil:
		return c.message(e), 0
	case e.GetMessage() != nil:
		return c.message(e), int(min(e.GetMessage().GetHop(), 1000))
	case e.GetDropped() != nil:
		return c.message(e), c.word(e.GetDropped().GetTo())
	case e.GetFault() != nil:
		active := 0
		if e.GetFault().GetActive() {
			active = 1
		}
		return c.word(e.GetFault().GetRule()), active
	case e.GetShown() != nil:
		return c.word(e.GetShown().GetText()), c.word(e.GetShown().GetView())
	}
	_, line, _ := strings.Cut(event.Line(e.Event), " ")
	return c.word(line), 0
}

// message is the index of the message that an event is about. What its "sent" says is best, but may come later or never.
func (c *encoder) message(e Event) int {
	m := cmp.Or(e.GetSent(), e.GetMessage(), e.GetDropped())
	key := m.GetApp() + "\x00" + m.GetId()
	if m.GetId() == "" {
		key += "\x00" + m.GetFrom() + "\x00" + m.GetText()
	}
	if i, ok := c.messages[key]; ok && (e.GetSent() == nil || len(m.GetReceivers()) == 0) {
		return i
	}
	i := len(c.messages)
	c.messages[key] = i
	prefix, rest := "", m.GetId()
	if at := strings.LastIndexByte(rest, '/'); at >= 0 {
		prefix, rest = rest[:at+1], rest[at+1:]
	}
	row := []any{c.word(prefix), shorten(command.Clean(rest)), c.word(m.GetFrom()), c.word(m.GetText()), c.word(m.GetApp())}
	for _, r := range m.GetReceivers() {
		row = append(row, c.word(r))
	}
	c.next.Messages = append(c.next.Messages, row)
	return i
}

// encode is all events as one block. When there are too many, those that no picture needs are left out first, and then the
// last ones.
func encode(events []Event) block {
	c := newEncoder()
	sorted := InOrder(events)
	if len(sorted) > PageEvents {
		kept := slices.DeleteFunc(slices.Clone(sorted), func(e Event) bool { return !pictured(e) })
		c.left = len(sorted) - len(kept)
		sorted = kept
	}
	for _, e := range sorted {
		c.add(e)
	}
	return c.take()
}

// pictured is whether an event is more than a line in the list of events.
func pictured(e Event) bool {
	return e.GetShown() == nil && e.GetCommand() == nil && e.GetRoster() == nil && e.GetData() == nil && e.GetCustom() == nil
}
