package testcoord

import (
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// blockWords are the words that open a block.
var blockWords = []string{"branch", "cleanup", "parallel", "repeat"}

// mend does what a line that is wrong was meant to do for those after it: opens its block or ends one, or makes the variable that it
// sets. Else each of these would be told as a mistake of its own. depth is how many blocks were open before the line.
func (p *parser) mend(l line, depth int) {
	words := strings.Fields(l.src) // the line may not even be one of the language
	for len(words) > 1 && strings.HasPrefix(words[0], "[") {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	first := words[0]
	if _, known := p.words[first]; !known && !p.named[first] && len(words) > 1 && words[1] != "=" {
		if near := command.Nearest(first, append(p.reservedWords(), p.suite.Peers...)); near != "" {
			first = near
		}
	}
	open := len(p.blocks)
	switch {
	case first == "end" && open == depth && open > p.floor:
		p.close()
	case slices.Contains(blockWords, first) && open == depth:
		b := &block{step: &Step{block: true}, word: first, line: l, errs: -1, outer: p.product}
		p.blocks = append(p.blocks, b)
		if i := slices.Index(words, "as"); i > 0 && i+1 < len(words) {
			p.own(b, words[i+1])
		}
	case first == "param" && len(words) > 1:
		p.suppose(words[1], "1")
	case len(words) > 1 && words[1] == "=":
		p.suppose(first, "")
	default:
		if name, _, ok := strings.Cut(first, "="); ok {
			p.suppose(name, "")
		}
	}
}

// suppose makes a variable that a wrong line would have set; one with a value has it in the whole run.
func (p *parser) suppose(name, value string) {
	if command.IsName(name) && p.vars[name] == nil {
		p.vars[name] = &variable{fixed: value != "", value: value}
	}
}

// own gives a block a variable of its own, which hides another of that name.
func (p *parser) own(b *block, name string) {
	if command.IsName(name) {
		b.own, b.hidden = name, p.vars[name]
		p.vars[name] = &variable{}
	}
}
