package command

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// MaxOutput is how many bytes of progress, and of a result, a command may write. A member list of 1,000 has
// about 100 KB. What comes on top is dropped, so that no command can fill the memory or the network of a peer.
const MaxOutput = 8 << 20

const cutNotice = "… the rest of the output is not shown: it is more than 8 MiB"

var errTooMuch = errors.New("too much output")

// bounded passes on what a command writes, up to MaxOutput, and nothing once it is closed.
type bounded struct {
	out io.Writer

	mu     sync.Mutex
	left   int  // guarded by mu
	cut    bool // guarded by mu
	closed bool // guarded by mu
}

func newBounded(out io.Writer) *bounded { return &bounded{out: out, left: MaxOutput} }

// Write takes what it drops for written: a command need not know.
func (b *bounded) Write(p []byte) (int, error) {
	take := b.take(p)
	if len(take) == 0 {
		return len(p), nil
	}
	// Without the lock: a reader that blocks must not keep close from returning.
	if _, err := b.out.Write(take); err != nil {
		return 0, err
	}
	return len(p), nil
}

// take is what of p may be passed on.
func (b *bounded) take(p []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.cut || b.out == nil {
		return nil
	}
	n := min(len(p), b.left)
	b.left -= n
	if n < len(p) {
		b.cut = true
		return append(bytes.Clone(p[:n]), "\n"+cutNotice+"\n"...)
	}
	return p
}

func (b *bounded) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// bounding is a buffer of at most MaxOutput bytes.
type bounding struct{ buf bytes.Buffer }

// Write takes what there is room for.
func (b *bounding) Write(p []byte) (int, error) {
	n := min(len(p), MaxOutput-b.buf.Len())
	b.buf.Write(p[:n])
	if n < len(p) {
		return n, errTooMuch
	}
	return n, nil
}
