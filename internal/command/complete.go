package command

import (
	"sort"
	"strings"
	"unicode"

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
// to be replaced begins. Every offer, put there, is a word that Parse takes.
func (t *Table) Complete(line string, cursor int, live Live) (offers []app.Suggestion, start int) {
	cursor = max(0, min(cursor, len(line)))
	head := line[:cursor]
	start = strings.LastIndexFunc(head, unicode.IsSpace) + 1
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

func (t *Table) argument(spec *app.Spec, words []Word, prefix string, live Live) []app.Suggestion {
	kind, values, complete, flags := position(spec, words)
	offers := map[string]string{}
	offer := func(s app.Suggestion) {
		if strings.HasPrefix(s.Text, prefix) {
			offers[s.Text] = s.Description
		}
	}
	if flags && (strings.HasPrefix(prefix, "-") || kind == "") {
		for _, f := range spec.Flags {
			offer(app.Suggestion{Text: "--" + f.Name, Description: f.Summary})
		}
	}
	if strings.HasPrefix(prefix, "-") {
		return sorted(offers)
	}
	for _, s := range t.values(kind, values, prefix, live) {
		offer(s)
	}
	if complete != nil {
		for _, s := range complete() {
			offer(app.Suggestion{Text: Quote(s.Text), Description: s.Description})
		}
	}
	return sorted(offers)
}

// position finds what the word after words is: the value of a flag or a parameter. flags says
// whether a flag may stand there.
func position(spec *app.Spec, words []Word) (kind app.Kind, values []string, complete func() []app.Suggestion, flags bool) {
	next := 0
	for i := 0; i < len(words); i++ {
		name, isFlag := strings.CutPrefix(words[i].Text, "--")
		if !isFlag {
			if next < len(spec.Params) && !spec.Params[next].Repeated {
				next++
			}
			continue
		}
		for _, f := range spec.Flags {
			if f.Name == name && f.Kind != app.Bool {
				if i == len(words)-1 {
					return f.Kind, f.Values, nil, false
				}
				i++
			}
		}
	}
	if next == len(spec.Params) {
		return "", nil, nil, true
	}
	p := spec.Params[next]
	return p.Kind, p.Values, p.Complete, true
}

// values are the offers for a kind of argument.
func (t *Table) values(kind app.Kind, values []string, prefix string, live Live) []app.Suggestion {
	var out []app.Suggestion
	switch kind {
	case app.Enum:
		for _, v := range values {
			out = append(out, app.Suggestion{Text: v})
		}
	case app.Bool:
		out = []app.Suggestion{{Text: "true"}, {Text: "false"}}
	case app.MemberName:
		if live.Members == nil {
			return nil
		}
		for _, m := range live.Members() {
			out = append(out, app.Suggestion{Text: Quote(m.Name), Description: memberLine(m)})
		}
	case app.File:
		if live.Files != nil {
			out = live.Files(prefix)
		}
	case app.CommandName:
		for _, s := range t.specs {
			out = append(out, app.Suggestion{Text: strings.ReplaceAll(s.Name, " ", ""), Description: s.Summary})
		}
	case app.Text, app.Int, app.Duration, app.Addr:
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
