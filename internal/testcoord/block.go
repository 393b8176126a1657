package testcoord

import (
	"context"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// Limits of blocks.
const (
	maxNesting = 16
	// maxRounds bounds one repeat.
	maxRounds = 10_000
	// maxRuns bounds the steps that are run, over all rounds of all blocks in each other: what is known of each step is kept.
	maxRuns = 100_000
	// cleanupWithin is how long a cleanup may take unless it says otherwise.
	cleanupWithin = 30 * time.Second
)

// block is one that is open while the file is read.
type block struct {
	step   *Step
	word   string // that opened it
	line   line
	errs   int       // how many there were; -1 of a block whose line is wrong, of which nothing more is said
	outer  int       // how often a line around it is run
	hidden *variable // the variable that the block's own one hides
	own    string    // the block's own variable, or empty
}

// blockAction is an action that runs the steps of its block.
type blockAction interface {
	action
	// runBody reports whether the steps after the block are to be run.
	runBody(ctx context.Context, f *flow, s *Step) bool
}

// open begins a block, whose lines are run so many times.
func (p *parser) open(l line, a blockAction, times int) *block {
	if len(p.blocks) == maxNesting {
		p.fail(l, l.col(0), "", "blocks stand in each other at most %d deep", maxNesting)
	}
	s := &Step{Line: l.no, Text: command.Clean(strings.TrimSpace(l.source())), act: a, block: true, conds: p.mods.conds}
	if len(p.from) > 0 {
		s.File = p.file
	}
	b := &block{step: s, word: firstText(l), line: l, outer: p.product, errs: len(p.errs)}
	p.product *= times
	if p.product > maxRuns {
		p.fail(l, l.col(0), "", "the lines in this block would be run more than %d times, with the blocks around it", maxRuns)
		p.product = b.outer
	}
	if _, cleanup := a.(cleanupBlock); cleanup {
		p.suite.Cleanup = append(p.suite.Cleanup, s)
	} else {
		p.place(l, s)
	}
	p.blocks = append(p.blocks, b)
	return b
}

// inside reports whether the innermost block is one of that word.
func (p *parser) inside(word string) bool {
	n := len(p.blocks)
	return n > 0 && p.blocks[n-1].word == word
}

// around returns the innermost of the open blocks that has the word, or nil.
func (p *parser) around(word string) *block {
	for i := len(p.blocks) - 1; i >= 0; i-- {
		if p.blocks[i].word == word {
			return p.blocks[i]
		}
	}
	return nil
}

// close ends the innermost block.
func (p *parser) close() *block {
	n := len(p.blocks) - 1
	b := p.blocks[n]
	p.blocks, p.product = p.blocks[:n], b.outer
	if b.own != "" {
		if delete(p.vars, b.own); b.hidden != nil {
			p.vars[b.own] = b.hidden
		}
	}
	return b
}

// unclosed reports a block that the file does not end.
func (p *parser) unclosed() {
	if b := p.close(); b.errs >= 0 {
		p.fail(b.line, b.line.col(0), "", "this %s has no end", b.word)
	}
}

// end reads "end".
func (p *parser) end(l line) {
	if !p.nothingAfter(l, 1) {
		return
	}
	if len(p.blocks) == p.floor {
		p.fail(l, l.col(0), "", "no block is open here")
		return
	}
	if b := p.close(); len(b.step.Body) == 0 && len(p.errs) == b.errs {
		p.fail(b.line, b.line.col(0), "", "this %s is empty", b.word)
	}
}

// repeat reads "repeat N [as NAME]".
func (p *parser) repeat(l line) {
	n, ok := p.number(l, 1)
	if !ok {
		return
	}
	step := repeatBlock{times: n}
	switch {
	case len(l.words) > 3 && strings.Contains(l.words[3].Raw, "$"):
		p.certainly(l, l.col(3), "the number of the round gets a name, which is no variable: repeat 10 as i")
	case n < 1 || n > maxRounds:
		p.fail(l, l.col(1), "", "a block is repeated 1 to %d times", maxRounds)
		n = 1
	case len(l.words) == 2:
	case !l.is(2, "as") || len(l.words) == 3:
		p.fail(l, l.col(min(len(l.words), 2)), "", "the number of the round gets a name so: repeat 10 as i")
	case p.settable(l, l.words[3]) && p.nothingAfter(l, 4):
		step.as = l.words[3].Text
	}
	b := p.open(l, step, n)
	if step.as != "" && !p.binding {
		p.own(b, step.as)
	}
}

// parallel reads "parallel".
func (p *parser) parallel(l line) {
	p.nothingAfter(l, 1)
	p.open(l, parallelBlock{}, 1)
}

// branch reads "branch".
func (p *parser) branch(l line) {
	p.nothingAfter(l, 1)
	if !p.inside("parallel") {
		p.fail(l, l.col(0), "", "a branch stands in a parallel block")
	}
	p.open(l, branchBlock{}, 1)
}

// cleanup reads "cleanup [within D]".
func (p *parser) cleanup(l line) {
	step := cleanupBlock{within: cleanupWithin}
	if len(p.blocks) > 0 {
		p.fail(l, l.col(0), "", "a cleanup stands in no other block: it is run at the end of the run")
	}
	if len(l.words) > 1 {
		if !l.is(1, "within") {
			p.nothingAfter(l, 1)
		} else if d, ok := p.duration(l, 2); ok && p.nothingAfter(l, 3) {
			step.within = d
		}
	}
	p.open(l, step, 1)
}

// wait reads "wait".
func (p *parser) wait(l line) {
	if p.nothingAfter(l, 1) {
		p.waits = append(p.waits, p.mistake(l, l.col(0), "", "nothing runs in the background that could be waited for: alice sleep 5s &"))
		p.step(l, waitStep{})
	}
}

// barrier reads "barrier NAME".
func (p *parser) barrier(l line) {
	switch {
	case len(l.words) == 1:
		p.fail(l, l.end(), "", "a barrier has a name: barrier ready")
	case p.around("parallel") == nil && !p.binding || p.inside("parallel"):
		p.fail(l, l.col(0), "", "a barrier stands in a branch of a parallel block: all branches arrive there before one goes on")
	case p.nothingAfter(l, 2):
		p.step(l, barrierStep{name: l.words[1].Text})
	}
}

// round is how a step in a repeat is called.
func round(as string, n, of int) string {
	text := strconv.Itoa(n) + "/" + strconv.Itoa(of)
	if as != "" {
		return as + "=" + text
	}
	return text
}
