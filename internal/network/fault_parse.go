package network

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// RuleError is what is wrong with the text of a rule.
type RuleError struct {
	// Col is the column of the word that is wrong, in bytes from 1; behind the text when a word is missing.
	Col int
	// Msg says what is wrong.
	Msg string
	// Example is a rule of that kind that is right.
	Example string
	// Word is the word that is wrong, where it could have been one of Choices; empty elsewhere.
	Word    string
	Choices []string
}

// Error is all of it.
func (e *RuleError) Error() string {
	return fmt.Sprintf("column %d: %s; such as: %s", e.Col, e.Msg, e.Example)
}

// maxRule is the longest text of a rule in bytes: the names of a thousand peers.
const maxRule = 64 << 10

// ruleExamples are rules that are right, by kind.
var ruleExamples = map[FaultKind]string{
	Partition: "partition alice bob | carol",
	Latency:   "latency 100ms±20ms alice -> bob on packets for 10s",
	Loss:      "loss 10% alice <-> bob",
	Duplicate: "duplicate 1%",
	Reorder:   "reorder 5% on packets",
	Bandwidth: "bandwidth 1MB/s alice <-> bob",
}

// ParseRule reads a rule. Errors are *RuleError.
//
//	KIND [AMOUNT] [LINKS] [except A B]... [on CHANNEL[,CHANNEL]] [for DURATION] [as ID]
//
//	partition | latency 100ms[±20ms] | loss 10% | duplicate 1% | reorder 5% | bandwidth 1MB/s
//	DURATION           10s, 300ms, 1.5s; a bare number is one of seconds, as in commands
//	LINKS   A B | C | D    all links between different groups
//	        A -> B         one way; several names at each side are allowed
//	        A <-> B        the same as A | B
//	        *              a group of all other peers
//
// Without LINKS, it is all links of the peer that has the rule. ± may be written +-, and a channel is packets, streams or rpc.
// Units of bandwidth are B, KB, MB, GB, KiB, MiB, GiB, kbit, Mbit and Gbit per second. A name that is also a word of
// the language stands in double quotes.
func ParseRule(text string) (Rule, error) {
	if len(text) > maxRule {
		return Rule{}, &RuleError{Col: maxRule, Msg: fmt.Sprintf("a rule of %d bytes; %d are the most", len(text), maxRule), Example: ruleExamples[Partition]}
	}
	p := &ruleParser{text: text}
	if err := p.split(); err != nil {
		return Rule{}, err
	}
	err := p.parse()
	if err == nil {
		if wrong := p.rule.Validate(); wrong != nil {
			err = p.wrong(p.start, "%v", wrong)
		}
	}
	return p.rule, err
}

// ruleWord is a word or sign of a rule.
type ruleWord struct {
	text   string
	at     int // its first byte
	quoted bool
}

type ruleParser struct {
	text  string
	words []ruleWord
	rule  Rule
	start int // where the amount, or what follows the kind, begins
}

// endings begin what comes behind the links.
var endings = []string{"on", "for", "as", "except"}

func isKeyword(s string) bool {
	return slices.Contains([]string{"on", "for", "as", "except", "|", "->", "<->", ","}, s)
}

// wrong is an error at a byte of the text.
func (p *ruleParser) wrong(at int, format string, args ...any) error {
	example := ruleExamples[p.rule.Kind]
	if example == "" {
		example = ruleExamples[Partition]
	}
	return &RuleError{Col: at + 1, Msg: fmt.Sprintf(format, args...), Example: example}
}

// unlike is an error about a word that is none of the choices, of which one may have been meant.
func (p *ruleParser) unlike(w ruleWord, choices []string, format string, args ...any) error {
	err := p.wrong(w.at, format, args...)
	if e, ok := err.(*RuleError); ok { //nolint:errorlint // it was just made
		e.Word, e.Choices = w.text, choices
	}
	return err
}

// parseTime is time.ParseDuration that takes a bare number as one of seconds.
func parseTime(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		s = strconv.FormatFloat(f, 'f', -1, 64) + "s"
	}
	return time.ParseDuration(s)
}

// split cuts the text into words and signs; signs need no blanks around them.
func (p *ruleParser) split() error {
	for i := 0; i < len(p.text); {
		rest := p.text[i:]
		r, size := utf8.DecodeRuneInString(rest)
		switch sign := leadingSign(rest); {
		case unicode.IsSpace(r):
			i += size
		case sign != "":
			p.words = append(p.words, ruleWord{text: sign, at: i})
			i += len(sign)
		case r == '"':
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return p.wrong(i, "the quote is not closed")
			}
			p.words = append(p.words, ruleWord{text: rest[1 : end+1], at: i, quoted: true})
			i += end + 2
		default:
			n := wordEnd(rest)
			p.words = append(p.words, ruleWord{text: rest[:n], at: i})
			i += n
		}
	}
	return nil
}

func leadingSign(s string) string {
	for _, sign := range []string{"<->", "->", "|", ","} {
		if strings.HasPrefix(s, sign) {
			return sign
		}
	}
	return ""
}

func wordEnd(s string) int {
	for i, r := range s {
		if i > 0 && (unicode.IsSpace(r) || r == '"' || leadingSign(s[i:]) != "") {
			return i
		}
	}
	return len(s)
}

// next takes a word that is there; what says what was expected.
func (p *ruleParser) next(what string) (ruleWord, error) {
	if len(p.words) == 0 {
		return ruleWord{}, p.wrong(len(p.text), "%s is missing", what)
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w, nil
}

// keyword reports whether the next word is that one, and takes it.
func (p *ruleParser) keyword(text string) bool {
	if len(p.words) == 0 || p.words[0].quoted || p.words[0].text != text {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *ruleParser) parse() error {
	kind, err := p.next("the kind of fault")
	if err != nil {
		return err
	}
	if !slices.Contains(faultKinds, kind.text) {
		return p.unlike(kind, faultKinds, "%q is no kind of fault; there are %s", kind.text, strings.Join(faultKinds, ", "))
	}
	p.rule.Kind = FaultKind(kind.text)
	p.start = kind.at
	for _, part := range []func() error{p.amount, p.links, p.ending} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (p *ruleParser) amount() error {
	if p.rule.Kind == Partition {
		return nil
	}
	w, err := p.next("how much " + string(p.rule.Kind))
	if err != nil {
		return err
	}
	p.start = w.at
	switch p.rule.Kind {
	case Latency:
		return p.latency(w)
	case Bandwidth:
		return p.bandwidth(w)
	case Loss, Duplicate, Reorder, Partition:
	}
	share, ok := strings.CutSuffix(w.text, "%")
	percent, err := strconv.ParseFloat(share, 64)
	switch good := err == nil && percent > 0 && percent <= 100; {
	case good && !ok:
		return p.unlike(w, []string{w.text + "%"}, "%q is not a share: a number and %%", w.text)
	case !good:
		return p.wrong(w.at, "%q is not a share above 0%% and up to 100%%", w.text)
	}
	p.rule.Percent = percent
	return nil
}

func (p *ruleParser) latency(w ruleWord) error {
	delay, jitter, found := strings.Cut(strings.Replace(w.text, "+-", "±", 1), "±")
	var err error
	if p.rule.Delay, err = parseTime(delay); err != nil {
		return p.wrong(w.at, "%q is not a latency such as 100ms or 100ms±20ms", w.text)
	}
	if !found {
		return nil
	}
	if p.rule.Jitter, err = parseTime(jitter); err != nil {
		return p.wrong(w.at, "%q: the jitter %q is not a time such as 20ms", w.text, jitter)
	}
	return nil
}

func (p *ruleParser) bandwidth(w ruleWord) error {
	digits := strings.IndexFunc(w.text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if digits > 0 {
		n, err := strconv.ParseFloat(w.text[:digits], 64)
		for _, u := range rateUnits {
			if rate := math.Round(n * u.bytes); err == nil && strings.EqualFold(w.text[digits:], u.name) && rate >= 1 && rate < 1<<53 {
				p.rule.BytesPerSecond = int64(rate)
				return nil
			}
		}
	}
	return p.wrong(w.at, "%q is not a bandwidth such as 500KB/s, 1MB/s or 8Mbit/s", w.text)
}

// links reads the groups and what stands between them.
func (p *ruleParser) links() error {
	var group []string
	sign := ""
	for len(p.words) > 0 {
		w := p.words[0]
		if !w.quoted && slices.Contains(endings, w.text) {
			break
		}
		p.words = p.words[1:]
		switch {
		case w.quoted || leadingSign(w.text) == "":
			if err := checkFaultName(w.text); err != nil {
				return p.wrong(w.at, "%v", err)
			}
			group = append(group, w.text)
		case w.text == ",":
			return p.wrong(w.at, "names stand beside each other without commas")
		case sign != "" && (sign != w.text || sign != "|"):
			return p.wrong(w.at, "%s after %s: a rule has one arrow, or groups between |", w.text, sign)
		case len(group) == 0:
			return p.wrong(w.at, "a name is missing before %s", w.text)
		default:
			p.rule.Groups = append(p.rule.Groups, group)
			group, sign = nil, w.text
		}
	}
	at := len(p.text)
	if len(p.words) > 0 {
		at = p.words[0].at
	}
	switch {
	case sign != "" && len(group) == 0:
		return p.wrong(at, "a name is missing behind %s", sign)
	case sign == "" && len(group) > 0:
		return p.wrong(at, "from whom is %s to be cut? Write |, -> or <-> and the other side; all others are %s", strings.Join(group, " "), Others)
	case sign != "":
		p.rule.Groups = append(p.rule.Groups, group)
		p.rule.OneWay = sign == "->"
	}
	return nil
}

// ending reads what comes behind the links, in any order.
func (p *ruleParser) ending() error {
	given := map[string]bool{}
	for len(p.words) > 0 {
		w := p.words[0]
		p.words = p.words[1:]
		if given[w.text] && w.text != "except" {
			return p.wrong(w.at, "%q stands there twice", w.text)
		}
		given[w.text] = true
		var err error
		switch {
		case w.quoted:
			err = p.wrong(w.at, "unexpected %q", w.text)
		case w.text == "on":
			err = p.channels()
		case w.text == "for":
			err = p.until()
		case w.text == "as":
			p.rule.ID, err = p.name("the name of the rule behind as")
		case w.text == "except":
			var pair [2]string
			if pair[0], err = p.name("the name of one end behind except"); err == nil {
				pair[1], err = p.name("the name of the other end behind except")
			}
			p.rule.Except = append(p.rule.Except, pair)
		default:
			err = p.unlike(w, endings, "unexpected %q; behind the links come on, for, as and except", w.text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *ruleParser) channels() error {
	for {
		w, err := p.next("packets, streams or rpc behind on")
		if err != nil {
			return err
		}
		if !slices.Contains(allChannels, Channel(w.text)) {
			var names []string
			for _, c := range allChannels {
				names = append(names, string(c))
			}
			return p.unlike(w, names, "%q is no channel; there are packets, streams and rpc", w.text)
		}
		p.rule.Channels = append(p.rule.Channels, Channel(w.text))
		if !p.keyword(",") && !p.keyword("|") {
			return nil
		}
	}
}

func (p *ruleParser) until() error {
	w, err := p.next("a time behind for")
	if err != nil {
		return err
	}
	if p.rule.For, err = parseTime(w.text); err != nil || p.rule.For <= 0 {
		return p.wrong(w.at, "%q is not a time such as 10s", w.text)
	}
	return nil
}

func (p *ruleParser) name(what string) (string, error) {
	w, err := p.next(what)
	if err != nil {
		return "", err
	}
	if !w.quoted && isKeyword(w.text) {
		return "", p.wrong(w.at, "%s is missing", what)
	}
	if err := checkFaultName(w.text); err != nil {
		return "", p.wrong(w.at, "%v", err)
	}
	return w.text, nil
}

// checkFaultName refuses what no peer can be called.
func checkFaultName(name string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) || strings.ContainsAny(name, `"',$|<>`) {
		return fmt.Errorf("%q is not a name", name)
	}
	return nil
}
