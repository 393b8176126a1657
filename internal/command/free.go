package command

import (
	"strings"

	"peerlab.example/peerlab/app"
)

// Rest is what the last argument of a command takes of the line.
type Rest int

// The values of Rest.
const (
	// RestWords are words, each checked.
	RestWords Rest = iota
	// RestText is all that is left, as text.
	RestText
	// RestRaw is all that is left exactly as typed.
	RestRaw
)

// RestOf says what the last argument of a command takes.
func RestOf(s *app.Spec) Rest {
	if len(s.Params) == 0 {
		return RestWords
	}
	switch last := s.Params[len(s.Params)-1]; {
	case last.Kind == app.Raw:
		return RestRaw
	case last.Kind == app.Text && last.Repeated:
		return RestText
	}
	return RestWords
}

// Free returns the index of the first word that the command takes as text, in which a | or > means
// nothing, and how; or len(words).
func (t *Table) Free(words []Word) (from int, rest Rest) {
	spec, next := t.Find(words)
	if spec == nil || len(spec.Params) == 0 {
		return len(words), RestWords
	}
	param := 0
	for ; next < len(words); next++ {
		if w := words[next]; strings.HasPrefix(w.Text, "-") && !w.Quoted {
			if f := findFlag(spec, w.Text); f != nil && f.Kind != app.Bool {
				next++
			}
			continue
		}
		if param == len(spec.Params)-1 {
			break
		}
		param++
	}
	next = min(next, len(words))
	switch spec.Params[len(spec.Params)-1].Kind {
	case app.Line:
		inner, rest := t.Free(words[next:])
		return next + inner, rest
	default:
		if r := RestOf(spec); r != RestWords {
			return next, r
		}
	}
	return len(words), RestWords
}
