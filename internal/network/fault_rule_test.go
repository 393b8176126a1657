package network

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRule(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rule{
		"partition":                     {Kind: Partition},
		"partition alice bob | carol":   {Kind: Partition, Groups: [][]string{{"alice", "bob"}, {"carol"}}},
		"partition a|b|c":               {Kind: Partition, Groups: [][]string{{"a"}, {"b"}, {"c"}}},
		"partition alice->bob":          {Kind: Partition, Groups: [][]string{{"alice"}, {"bob"}}, OneWay: true},
		"partition alice <-> *":         {Kind: Partition, Groups: [][]string{{"alice"}, {"*"}}},
		"partition alice | bootstrap":   {Kind: Partition, Groups: [][]string{{"alice"}, {"bootstrap"}}},
		`partition "on" | bob`:          {Kind: Partition, Groups: [][]string{{"on"}, {"bob"}}},
		"latency 100ms":                 {Kind: Latency, Delay: 100 * time.Millisecond},
		"latency 100ms±20ms a -> b":     {Kind: Latency, Delay: 100 * time.Millisecond, Jitter: 20 * time.Millisecond, Groups: [][]string{{"a"}, {"b"}}, OneWay: true},
		"latency 1s+-1ms on packets":    {Kind: Latency, Delay: time.Second, Jitter: time.Millisecond, Channels: []Channel{Packets}},
		"loss 0.5% for 10s":             {Kind: Loss, Percent: 0.5, For: 10 * time.Second},
		"loss 10% on streams|rpc as x":  {Kind: Loss, Percent: 10, Channels: []Channel{Streams, RPC}, ID: "x"},
		"duplicate 1%":                  {Kind: Duplicate, Percent: 1},
		"reorder 5% a b <-> c d":        {Kind: Reorder, Percent: 5, Groups: [][]string{{"a", "b"}, {"c", "d"}}},
		"bandwidth 1MB/s":               {Kind: Bandwidth, BytesPerSecond: 1e6},
		"bandwidth 1.5KiB/s":            {Kind: Bandwidth, BytesPerSecond: 1536},
		"bandwidth 8Mbit/s except a b":  {Kind: Bandwidth, BytesPerSecond: 1e6, Except: [][2]string{{"a", "b"}}},
		"  partition  a |b  for 1m0s  ": {Kind: Partition, Groups: [][]string{{"a"}, {"b"}}, For: time.Minute},
	} {
		got, err := ParseRule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseRuleErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		col int
		msg string
	}{
		"":                                   {1, "the kind of fault is missing"},
		"slow 3s":                            {1, "no kind of fault"},
		"latency":                            {8, "how much latency is missing"},
		"latency soon":                       {9, "not a latency"},
		"latency 100ms±50":                   {9, "at most the latency"}, // seconds
		"latency 100ms±some":                 {9, "jitter"},
		"latency 10ms±50ms":                  {9, "at most the latency"},
		"loss 10":                            {6, "not a share"},
		"loss 101%":                          {6, "not a share"},
		"loss NaN%":                          {6, "not a share"},
		"bandwidth 1MB":                      {11, "not a bandwidth"},
		"bandwidth 0B/s":                     {11, "not a bandwidth"},
		"partition alice":                    {16, "from whom"},
		"partition alice bob on rpc":         {21, "from whom"},
		"partition | bob":                    {11, "before |"},
		"partition bob |":                    {16, "behind |"},
		"partition a | b -> c":               {17, "-> after |"},
		"partition a | a":                    {1, "named twice"},
		"partition a | * b":                  {1, "stands alone"},
		"partition a, b | c":                 {12, "without commas"},
		"partition a | b on":                 {19, "behind on"},
		"partition a | b on wire":            {20, "no channel"},
		"partition a | b for":                {20, "behind for"},
		"partition a | b for ever":           {21, "not a time"},
		"partition a | b for 1s for 1s":      {24, "twice"},
		"partition a | b on rpc now":         {24, "unexpected"},
		`partition "a | b`:                   {11, "not closed"},
		"partition a | b as on":              {20, "missing"},
		"duplicate 1% on streams":            {11, "only with packets"},
		"partition $x | b":                   {11, "not a name"},
		strings.Repeat("x", maxRule+1):       {maxRule + 1, "are the most"},
		"partition a | b on packets,packets": {1, "named twice"},
	} {
		_, err := ParseRule(text)
		var re *RuleError
		if !errors.As(err, &re) {
			t.Errorf("%.40q: %v", text, err)
			continue
		}
		if strings.HasPrefix(text, "xx") {
			want.col = re.Col
		}
		if re.Col != want.col || !strings.Contains(re.Msg, want.msg) {
			t.Errorf("%.40q: column %d: %s; want column %d: %s", text, re.Col, re.Msg, want.col, want.msg)
		}
		if _, err := ParseRule(re.Example); err != nil {
			t.Errorf("%.40q: the example %q is wrong: %v", text, re.Example, err)
		}
	}
}

// anyRule draws a valid rule.
func anyRule(r *rand.Rand) Rule {
	names := []string{"alice", "bob", "carol", "on", "for", "as", "except", "p-1", "Ünal", Bootstrap, "x%", "10"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	rule := Rule{Kind: FaultKind(faultKinds[r.IntN(len(faultKinds))])}
	switch rule.Kind {
	case Latency:
		rule.Delay = time.Duration(r.Int64N(int64(longestDelay))) + 1
		rule.Jitter = time.Duration(r.Int64N(int64(rule.Delay) + 1))
	case Loss, Duplicate, Reorder:
		rule.Percent = 100 - 100*r.Float64()
	case Bandwidth:
		rule.BytesPerSecond = r.Int64N(1<<(1+r.IntN(53))) + 1
	case Partition:
	}
	take := func(n int) []string {
		out := names[:n:n]
		names = names[n:]
		return out
	}
	switch r.IntN(4) {
	case 0:
		rule.Groups, rule.OneWay = [][]string{take(1 + r.IntN(3)), take(1 + r.IntN(3))}, true
	case 1:
		for range 2 + r.IntN(2) {
			rule.Groups = append(rule.Groups, take(1+r.IntN(2)))
		}
	case 2:
		rule.Groups = [][]string{take(2), {Others}}
	}
	if r.IntN(3) == 0 {
		rule.Except = [][2]string{{names[0], names[1]}, {names[2], names[1]}}
	}
	if r.IntN(3) == 0 {
		rule.Channels = [][]Channel{{Packets}, {Packets, RPC}, {Streams, Packets, RPC}}[r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		rule.For = time.Duration(r.Int64N(int64(time.Hour))) + 1
	}
	if r.IntN(3) == 0 {
		rule.ID = names[0]
	}
	return rule
}

func TestRulesReadBackAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		want := anyRule(r)
		if err := want.Validate(); err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		got, err := ParseRule(want.String())
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", want, diff)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	for _, text := range ruleExamples {
		f.Add(text)
	}
	f.Add(`loss 5% "on" b | * except a b on packets,rpc for 1h as "for"`)
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := ParseRule(text)
		if err != nil {
			var re *RuleError
			if !errors.As(err, &re) || re.Col < 1 || re.Col > len(text)+1 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := ParseRule(rule.String())
		if err != nil || cmp.Diff(rule, again) != "" {
			t.Errorf("%q: %q: %v", text, rule, err)
		}
	})
}

func TestWhomARuleIsFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, from, to string
		want           bool
	}{
		{"partition", "a", "b", true},
		{"partition", "a", "", true},
		{"partition", "a", Bootstrap, true},
		{"partition a b | c", "a", "b", false},
		{"partition a b | c", "c", "b", true},
		{"partition a b | c", "a", "d", false},
		{"partition a b | c", "a", "", false},
		{"partition a b | c", "a", Bootstrap, false},
		{"partition a -> b", "a", "b", true},
		{"partition a -> b", "b", "a", false},
		{"partition a | *", "a", "b", true},
		{"partition a | *", "b", "c", false},
		{"partition a | *", "a", Bootstrap, false},
		{"partition a | *", "a", "", false},
		{"partition * -> a", "b", "a", true},
		{"partition * -> a", "a", "b", false},
		{"partition except a b", "b", "a", false},
		{"partition a | b | c except a b", "a", "b", false},
		{"partition a | b | c except a b", "a", "c", true},
	} {
		r, err := ParseRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.crosses(c.from, c.to); got != c.want {
			t.Errorf("%s, %s to %s: %v", c.rule, c.from, c.to, got)
		}
	}
}

// TestRuleErrorsTellWhatCouldStandThere checks the choices among which a suggestion is looked for.
func TestRuleErrorsTellWhatCouldStandThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ word, choice string }{
		"lose 10%":                    {"lose", "loss"},
		"loss 10":                     {"10", "10%"},
		"loss 10% on packet":          {"packet", "packets"},
		"loss 10% on rpc as x fro 1s": {"fro", "for"},
	} {
		_, err := ParseRule(text)
		var re *RuleError
		if !errors.As(err, &re) || re.Word != want.word || !slices.Contains(re.Choices, want.choice) {
			t.Errorf("%q: %+v, want %s for %s", text, re, want.choice, want.word)
		}
	}
	for _, text := range []string{"loss 110%", "latency soon a -> b", "partition a"} {
		_, err := ParseRule(text)
		var re *RuleError
		if !errors.As(err, &re) || len(re.Choices) > 0 {
			t.Errorf("%q: %+v, want no choices", text, re)
		}
	}
}

// TestBareNumbersAreSeconds reads times as commands do.
func TestBareNumbersAreSeconds(t *testing.T) {
	t.Parallel()
	r, err := ParseRule("latency 1.5±0.5 alice -> bob for 10")
	if err != nil || r.Delay != 1500*time.Millisecond || r.Jitter != 500*time.Millisecond || r.For != 10*time.Second {
		t.Errorf("%v %+v", err, r)
	}
}
