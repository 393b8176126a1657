package command

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"peerlab.example/peerlab/app"
)

// Live is what completion knows of the running peer. It must answer at once, from memory.
// A nil field offers nothing.
type Live struct {
	// Members are the members of the group.
	Members func() []app.Member
	// Files lists the paths that begin with a prefix; set only at the peer's own terminal.
	Files func(prefix string) []app.Suggestion
}

// Complete offers what could stand at the cursor, a byte offset in line, and says where the word
// to be replaced begins. Every offer, put there, is a word that Parse takes. A completer of a command that hangs or panics
// offers nothing, and is waited for 100 ms at most.
func (t *Table) Complete(line string, cursor int, live Live) (offers []app.Suggestion, start int) {
	cursor = max(0, min(cursor, len(line)))
	if inner, ok := t.Inner(line, cursor); ok {
		offers, start = t.Complete(line[inner:], cursor-inner, live)
		return offers, inner + start
	}
	head := line[:cursor]
	start = afterSpace(head)
	prefix := head[start:]
	words, err := Split(head[:start])
	if err != nil {
		return nil, start
	}
	switch spec, taken := t.Find(words); {
	case spec != nil && !(taken == 1 && len(words) == 1 && t.continues(words[0].Text)):
		offers = t.argument(spec, words[taken:], prefix, live)
	case spec != nil: // a command that is also the first word of others
		offers = append(t.command(words, prefix), t.argument(spec, nil, prefix, live)...)
	default:
		offers = t.command(words, prefix)
	}
	return offers, start
}

// Inner reports whether the cursor is in a parameter that is a line itself (app.Line), and where that line begins.
func (t *Table) Inner(line string, cursor int) (start int, ok bool) {
	head := line[:max(0, min(cursor, len(line)))]
	last := afterSpace(head)
	words, err := Split(head[:last])
	spec, taken := t.Find(words)
	if err != nil || spec == nil || len(spec.Params) == 0 || spec.Params[len(spec.Params)-1].Kind != app.Line {
		return 0, false
	}
	next := 0
	for i := taken; i < len(words); i++ {
		switch f := findFlag(spec, words[i].Text); {
		case f != nil && f.Kind != app.Bool && !words[i].Quoted:
			i++
		case f != nil || strings.HasPrefix(words[i].Text, "-") && !words[i].Quoted:
		case spec.Params[next].Kind == app.Line:
			return words[i].Col - 1, true
		default:
			next++
		}
	}
	p := position(spec, words[taken:])
	return last, p.kind == app.Line && !strings.HasPrefix(head[last:], "-")
}

// afterSpace is where the last word begins.
func afterSpace(head string) int {
	i := strings.LastIndexFunc(head, unicode.IsSpace)
	if i < 0 {
		return 0
	}
	_, n := utf8.DecodeRuneInString(head[i:])
	return i + n
}

// continues reports whether a first word begins names of two words.
func (t *Table) continues(first string) bool {
	return len(t.inGroup(strings.TrimPrefix(first, "/"))) > 0
}

// command offers the next word of the names that begin like words and prefix. Aliases are offered
// only when no name fits, so that the list stays short.
func (t *Table) command(words []Word, prefix string) []app.Suggestion {
	if len(words) > 1 {
		return nil
	}
	slash := ""
	if len(words) == 0 && strings.HasPrefix(prefix, "/") {
		slash, prefix = "/", prefix[1:]
	}
	first := ""
	if len(words) == 1 {
		first = strings.TrimPrefix(words[0].Text, "/") + " "
	}
	offers := map[string]string{}
	collect := func(name, summary string) {
		rest, ok := strings.CutPrefix(name, first)
		if !ok || !strings.HasPrefix(rest, prefix) {
			return
		}
		next, _, more := strings.Cut(rest, " ")
		if more {
			summary = strings.Join(t.inGroup(next), ", ")
		}
		if _, known := offers[slash+next]; !known || more {
			offers[slash+next] = summary
		}
	}
	for _, s := range t.specs {
		collect(s.Name, s.Summary)
	}
	if len(offers) == 0 {
		for _, s := range t.specs {
			for _, a := range s.Aliases {
				collect(a, s.Summary)
			}
		}
	}
	return sorted(offers)
}

// argument offers the next word behind a command.
func (t *Table) argument(spec *app.Spec, words []Word, prefix string, live Live) []app.Suggestion {
	at := position(spec, words)
	lead := "" // what of the prefix comes before the value
	if name, value, ok := strings.Cut(prefix, "="); ok && at.flags {
		if f := findFlag(spec, name); f != nil {
			at = ofFlag(f)
			lead, prefix = name+"=", value
		}
	}
	var offers []app.Suggestion
	offer := func(s app.Suggestion) {
		if q := Quote(s.Text); strings.HasPrefix(q, prefix) || strings.HasPrefix(s.Text, prefix) {
			offers = append(offers, app.Suggestion{Text: lead + q, Description: s.Description})
		}
	}
	for _, s := range t.values(at, prefix, live) {
		offer(s)
	}
	if at.complete != nil && (at.kind != app.CommandName || len(at.begun) == 0) {
		for _, s := range t.asking.ask(at.owner, at.complete) {
			offer(s)
		}
	}
	if at.flags {
		for _, f := range spec.Flags {
			if name := "--" + f.Name; strings.HasPrefix(name, prefix) {
				offers = append(offers, app.Suggestion{Text: name, Description: f.Summary})
			}
		}
	}
	slices.SortFunc(offers, func(a, b app.Suggestion) int {
		return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(a.Description, b.Description))
	})
	return slices.CompactFunc(offers, func(a, b app.Suggestion) bool { return a.Text == b.Text })
}

// place is what may stand somewhere in a line.
type place struct {
	kind     app.Kind // "" when no value is expected
	values   []string
	complete func() []app.Suggestion
	owner    any    // of complete: a *app.Param or *app.Flag
	begun    []Word // the words that a repeated parameter has already
	flags    bool   // whether a flag may stand there
}

// ofFlag is where the value of a flag is.
func ofFlag(f *app.Flag) place {
	return place{kind: f.Kind, values: f.Values, complete: f.Complete, owner: f}
}

// position finds what the word after words is: the value of a flag, or a parameter.
func position(spec *app.Spec, words []Word) place {
	next := 0           // the parameter
	var begun []Word    // the words that it has already; only a repeated one has any
	var before []string // the words that are values of parameters before it
	for i := 0; i < len(words); i++ {
		f := findFlag(spec, words[i].Text)
		if words[i].Quoted || len(begun) > 0 && isRest(spec.Params[next]) {
			f = nil
		}
		switch {
		case f != nil && f.Kind != app.Bool:
			if i++; i == len(words) {
				return ofFlag(f)
			}
		case f != nil || !words[i].Quoted && strings.HasPrefix(words[i].Text, "--") && len(begun) == 0:
		case next < len(spec.Params) && spec.Params[next].Repeated:
			begun = append(begun, words[i])
		case next < len(spec.Params):
			next++
			before = append(before, words[i].Text)
		}
	}
	if next == len(spec.Params) {
		return place{flags: true}
	}
	p := &spec.Params[next]
	complete := p.Complete
	if p.CompleteAfter != nil {
		complete = func() []app.Suggestion { return p.CompleteAfter(before) }
	}
	return place{kind: p.Kind, values: p.Values, complete: complete, owner: p, begun: begun, flags: len(begun) == 0 || !isRest(*p)}
}

// findFlag returns the flag that is written --NAME or -N, or nil.
func findFlag(spec *app.Spec, text string) *app.Flag {
	for i := range spec.Flags {
		if text == "--"+spec.Flags[i].Name {
			return &spec.Flags[i]
		}
	}
	return shortFlag(spec, text)
}

// values are the offers for a kind of argument.
func (t *Table) values(at place, prefix string, live Live) []app.Suggestion {
	var out []app.Suggestion
	switch at.kind {
	case app.Enum:
		for _, v := range at.values {
			out = append(out, app.Suggestion{Text: v})
		}
	case app.Bool:
		out = []app.Suggestion{{Text: "true"}, {Text: "false"}}
	case app.MemberName:
		if live.Members == nil {
			return nil
		}
		members := live.Members()
		out = make([]app.Suggestion, 0, len(members))
		for _, m := range members {
			out = append(out, app.Suggestion{Text: m.Name, Description: memberLine(m)})
		}
	case app.File:
		if live.Files != nil {
			out = live.Files(prefix)
		}
	case app.CommandName:
		out = t.command(at.begun, prefix)
	case app.Text, app.Word, app.Int, app.Duration, app.Addr, app.Line, app.Raw:
	}
	return out
}

func memberLine(m app.Member) string {
	line := string(m.State)
	if m.Self {
		line += ", this peer"
	}
	if m.RTT > 0 {
		line += ", " + Duration(m.RTT)
	}
	return line
}

func sorted(offers map[string]string) []app.Suggestion {
	out := make([]app.Suggestion, 0, len(offers))
	for text, description := range offers {
		out = append(out, app.Suggestion{Text: text, Description: description})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Text < out[j].Text })
	return out
}
