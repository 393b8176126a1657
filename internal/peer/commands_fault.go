package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/network"
)

// faultLinks is what all kinds of faults have in common, for help.
const faultLinks = "LINKS: alice bob | carol (all between the groups), alice -> bob (one way), alice <-> bob, or none: all links of this peer.\n" +
	"A name is that of a peer, * for all other peers, or bootstrap. Behind them: except A B, on packets|streams|rpc, for 10s, as ID.\n" +
	"A peer applies a fault to packets that it sends, and to connections that it has opened, in both directions; to break\n" +
	"a link for both sides, set the fault at both. Faults add up: latencies are added, losses multiply, the smallest bandwidth counts."

func (p *Peer) faultCommands() []app.Spec {
	const detailStream = "\nA connection loses no bytes: "
	return []app.Spec{
		p.setFault("partition", "", "let nothing pass",
			"A partition is kept for packets that come in, too. Connections stand still, and go on when it ends.", "fault partition alice bob | carol"),
		p.setFault("latency", "100ms±20ms", "delay what is sent, with jitter if wanted",
			"± may be written +-. Packets with jitter may overtake each other.", "fault latency 100ms±20ms alice -> bob on packets"),
		p.setFault("loss", "10%", "lose a share of the packets",
			strings.TrimSpace(detailStream)+" what is lost comes late, as after a retransmission.", "fault loss 10% for 10s"),
		p.setFault("duplicate", "1%", "send a share of the packets twice", "Connections do not show it.", "fault duplicate 1%"),
		p.setFault("reorder", "5%", "let a share of the packets be overtaken", "Connections do not show it.", "fault reorder 5%"),
		p.setFault("bandwidth", "1MB/s", "limit the bytes per second of each link and direction",
			"Units: B, KB, MB, GB, KiB, MiB, GiB, kbit, Mbit, Gbit, each /s. Packets are lost when 64 KiB wait.", "fault bandwidth 1MB/s alice <-> bob"),
		{
			Name: "fault heal", Group: "fault",
			Summary: "lift all faults, those of a link, or one by its id",
			Detail:  "A fault that is for other links too excepts the link from then on.",
			Example: "fault heal alice bob",
			Params: []app.Param{{Name: "which", Kind: app.Text, Optional: true, Repeated: true, Complete: func() []app.Suggestion {
				return append(p.faultIDs(), p.faultNames()...)
			}}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) { return p.heal(args.All("which")) },
		},
		{
			Name: "fault list", Group: "fault",
			Summary: "list the faults of this peer, and what each has done on which link",
			Detail:  "Hits are packets, parts of connections and dialled connections on which it acted; lost are packets.",
			Example: "fault list",
			Run:     func(context.Context, *app.Env, app.Args) (any, error) { return p.faultTable(), nil },
		},
	}
}

// setFault is the command that sets a kind of fault. amount is an example of one; empty when the kind has none.
func (p *Peer) setFault(kind, amount, summary, detail, example string) app.Spec {
	links := app.Param{Name: "links", Kind: app.Text, Optional: true, Repeated: true, Complete: p.faultWords}
	s := app.Spec{
		Name: "fault " + kind, Group: "fault",
		Summary: summary, Detail: detail + "\n" + faultLinks, Example: example, Params: []app.Param{links},
	}
	if amount != "" {
		s.Params = []app.Param{{Name: "amount", Kind: app.Text, Complete: func() []app.Suggestion { return []app.Suggestion{{Text: amount}} }}, links}
	}
	s.Run = func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
		words := []string{kind}
		if amount != "" {
			words = append(words, args.String("amount"))
		}
		rule, err := network.ParseRule(strings.Join(append(words, args.All("links")...), " "))
		if err == nil {
			rule, err = p.faults.Set(rule)
		}
		if wrong := (*network.RuleError)(nil); errors.As(err, &wrong) {
			err = fmt.Errorf("%s; such as: fault %s", wrong.Msg, wrong.Example)
		}
		if err != nil {
			return nil, fmt.Errorf("fault %s: %w", kind, err)
		}
		id := rule.ID
		rule.ID = ""
		return app.Record{{Name: "id", Value: id}, {Name: "rule", Value: rule.String()}}, nil
	}
	return s
}

// heal lifts what the words name.
func (p *Peer) heal(which []string) (any, error) {
	which = slices.DeleteFunc(slices.Clone(which), func(w string) bool { return w == "|" || w == "<->" })
	healed := 1
	switch len(which) {
	case 0:
		healed = p.faults.HealAll()
	case 1:
		if err := p.faults.Heal(which[0]); err != nil {
			return nil, fmt.Errorf("fault heal: %w; fault list shows the ids, and a link has two names", err)
		}
	case 2:
		n, err := p.faults.HealLink(which[0], which[1])
		if err != nil {
			return nil, fmt.Errorf("fault heal: %w", err)
		}
		healed = n
	default:
		return nil, errors.New("fault heal: nothing for all, an id, or the two names of a link, such as: fault heal alice bob")
	}
	return app.Record{{Name: "healed", Value: healed}}, nil
}

func (p *Peer) faultTable() app.Table {
	t := app.Table{Columns: []string{"id", "rule", "left", "link", "hits", "lost"}}
	for _, f := range p.faults.List() {
		left := ""
		if f.Left > 0 {
			left = f.Left.Round(time.Millisecond).String()
		}
		id := command.Clean(f.Rule.ID)
		f.Rule.ID = ""
		rule := command.Clean(f.Rule.String())
		for _, h := range f.Links {
			t.Add(id, rule, left, command.Clean(h.From+" -> "+h.To), h.Hits, h.Lost)
		}
		if len(f.Links) == 0 {
			t.Add(id, rule, left, "", 0, 0)
		}
	}
	return t
}

// faultNames are those that a rule may name.
func (p *Peer) faultNames() []app.Suggestion {
	out := []app.Suggestion{{Text: network.Bootstrap, Description: "the bootstrap service"}}
	for _, m := range p.Members() {
		out = append(out, app.Suggestion{Text: m.Name, Description: string(m.State)})
	}
	return out
}

// faultWords are what may stand behind the amount of a rule.
func (p *Peer) faultWords() []app.Suggestion {
	return append(p.faultNames(),
		app.Suggestion{Text: network.Others, Description: "all other peers"},
		app.Suggestion{Text: "on", Description: "only packets, streams or rpc"},
		app.Suggestion{Text: "packets", Description: "gossip datagrams"},
		app.Suggestion{Text: "streams", Description: "gossip connections"},
		app.Suggestion{Text: "rpc", Description: "gRPC"},
		app.Suggestion{Text: "for", Description: "ends by itself after a time"},
		app.Suggestion{Text: "as", Description: "an id of your choice"},
		app.Suggestion{Text: "except", Description: "leaves a link alone"},
	)
}

func (p *Peer) faultIDs() []app.Suggestion {
	var out []app.Suggestion
	for _, f := range p.faults.List() {
		out = append(out, app.Suggestion{Text: f.Rule.ID, Description: command.Clean(f.Rule.String())})
	}
	return out
}
