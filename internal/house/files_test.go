package house

import (
	"go/ast"
	"testing"
)

// maxLines is how long a file may be that was written by hand. A file has one
// subject; most have fewer than 250 lines.
const maxLines = 400

// TestFileLength keeps files at a length that can be read at one go.
func TestFileLength(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, file := range append(p.code(t), p.tests(t)...) {
			if ast.IsGenerated(file.ast) {
				continue
			}
			if lines := file.fset.File(file.ast.FileStart).LineCount(); lines > maxLines {
				t.Errorf("%s has %d lines, more than %d: it has more than one subject", file.name, lines, maxLines)
			}
		}
	}
}
