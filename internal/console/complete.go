package console

import (
	"context"
	"maps"
	"slices"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
)

// Complete offers what could stand at the cursor: what the engine knows, and variables, aliases and files.
func (s *Session) Complete(ctx context.Context, line string, cursor int) (offers []app.Suggestion, start int) {
	cursor = max(0, min(cursor, len(line)))
	head := line[:cursor]
	start = strings.LastIndexByte(head, ' ') + 1
	words, err := command.Split(head[:start])
	if err != nil {
		return nil, cursor
	}
	if at := strings.LastIndexByte(head[start:], '$'); at >= 0 && !strings.ContainsAny(head[start:], `'"`) && command.Clean(head[start:]) == head[start:] {
		if offers := s.offerVariables(head[start:start+at], head[start+at+1:]); len(offers) > 0 {
			return offers, start
		}
	}
	if len(words) == 0 {
		theirs, at := s.cfg.Engine.Complete(ctx, line, cursor)
		if at != start {
			return theirs, at
		}
		return merge(s.offerAliases(head[start:]), theirs), start
	}
	if from, ok := s.inner(words, start); ok {
		offers, at := s.Complete(ctx, line[from:], cursor-from)
		return offers, from + at
	}
	if last := words[len(words)-1].Raw; last == ">" || last == ">>" {
		if from, _, _ := s.cfg.Engine.Free(words); from == len(words) {
			offers := completeFiles(head[start:])
			for i := range offers {
				offers[i].Text = command.Quote(offers[i].Text)
			}
			return offers, start
		}
	}
	if at := strings.LastIndexByte(head[start:], ','); at >= 0 && len(words) > 1 && words[0].Text == "events" && words[1].Text == "on" {
		return offerMoreKinds(head[start:start+at+1], head[start+at+1:]), start
	}
	if len(words) == 1 && (words[0].Text == "unset" || words[0].Text == "unalias") {
		return s.offerOwn(words[0].Text, head[start:]), start
	}
	if alias, err := s.expandAlias(line); err == nil && alias != line {
		grown := len(alias) - len(line)
		offers, at := s.cfg.Engine.Complete(ctx, alias, cursor+grown)
		return offers, max(0, at-grown)
	}
	return s.cfg.Engine.Complete(ctx, line, cursor)
}

// inner is where a command begins behind the words of an assignment.
func (s *Session) inner(words []command.Word, next int) (from int, ok bool) {
	if _, ok := s.assigned(words); !ok {
		return 0, false
	}
	if len(words) > 2 {
		return words[2].Col - 1, true
	}
	return next, true
}

func (s *Session) offerVariables(before, prefix string) []app.Suggestion {
	open := ""
	if rest, ok := strings.CutPrefix(prefix, "{"); ok {
		open, prefix = "{", strings.TrimSuffix(rest, "}")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []app.Suggestion
	for _, name := range slices.Sorted(maps.Keys(s.vars)) {
		if strings.HasPrefix(name, prefix) {
			text := before + "$" + open + name
			if open != "" {
				text += "}"
			}
			out = append(out, app.Suggestion{Text: text, Description: s.vars[name]})
		}
	}
	return out
}

// offerOwn offers what unset or unalias can remove.
func (s *Session) offerOwn(command, prefix string) []app.Suggestion {
	if command == "unalias" {
		return s.offerAliases(prefix)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []app.Suggestion
	for _, name := range slices.Sorted(maps.Keys(s.vars)) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, app.Suggestion{Text: name, Description: s.vars[name]})
		}
	}
	return out
}

// offerMoreKinds offers the kinds of events behind those that a word names already.
func offerMoreKinds(named, prefix string) []app.Suggestion {
	before := strings.Split(strings.TrimPrefix(named, "kind="), ",")
	var out []app.Suggestion
	for kind, fields := range event.Kinds() {
		if strings.HasPrefix(kind, prefix) && !slices.Contains(before, kind) {
			out = append(out, app.Suggestion{Text: named + kind, Description: strings.Join(fields, ", ")})
		}
	}
	slices.SortFunc(out, func(a, b app.Suggestion) int { return strings.Compare(a.Text, b.Text) })
	return out
}

func (s *Session) offerAliases(prefix string) []app.Suggestion {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []app.Suggestion
	for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, app.Suggestion{Text: name, Description: "= " + s.aliases[name]})
		}
	}
	return out
}
