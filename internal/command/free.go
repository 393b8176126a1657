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
// nothing, and how; or len(words). The command is that of the first of the tables that knows it; known is
// false when none does.
func Free(words []Word, tables ...*Table) (from int, rest Rest, known bool) {
	for _, t := range tables {
		if spec, taken := t.Find(words); spec != nil {
			from, rest = free(spec, words, taken, tables)
			return from, rest, true
		}
	}
	return len(words), RestWords, false
}

func free(spec *app.Spec, words []Word, next int, tables []*Table) (from int, rest Rest) {
	if len(spec.Params) == 0 {
		return len(words), RestWords
	}
	last := len(spec.Params) - 1
	for param := 0; next < len(words); next++ {
		if w := words[next]; strings.HasPrefix(w.Text, "-") && !w.Quoted {
			if f := findFlag(spec, w.Text); f != nil && f.Kind != app.Bool {
				next++
			}
			continue
		}
		if param == last {
			break
		}
		param++
	}
	next = min(next, len(words))
	if spec.Params[last].Kind == app.Line {
		inner, rest, _ := Free(words[next:], tables...)
		return next + inner, rest
	}
	if rest = RestOf(spec); rest == RestWords {
		next = len(words)
	}
	return next, rest
}
