package chat

import "peerlab.example/peerlab/app"

var _ app.Meter = (*Chat)(nil)

// Metrics implements app.Meter.
func (*Chat) Metrics() []app.Metric {
	to, from := []string{"to"}, []string{"from"}
	return []app.Metric{
		{Name: "sent_total", Labels: to, Help: "messages that were queued for one of the others"},
		{Name: "delivered_total", Labels: to, Help: "messages that one of the others has acknowledged"},
		{Name: "received_total", Labels: from, Help: "messages of one of the others that were delivered here"},
		{Name: "dropped_total", Labels: to, Help: "messages to one of the others that found its queue full, or were queued when it went; to is empty for those who have gone"},
		{Name: "queued", Labels: to, Help: "messages to one of the others that are not acknowledged yet"},
		{Name: "reconnects_total", Labels: to, Help: "links to one of the others that were made anew"},
	}
}

// Measure implements app.Meter. A chat that is not started has nothing to tell, and counts begin at 0 with each start.
func (c *Chat) Measure() []app.Sample {
	r, err := c.started()
	if err != nil {
		return nil
	}
	var out []app.Sample
	tell := func(name, who string, n uint64) {
		out = append(out, app.Sample{Name: name, Labels: []string{who}, Value: float64(n)})
	}
	for _, s := range r.all() {
		s.mu.Lock()
		st, queued, who := s.stats, len(s.queue), s.m.Name
		s.mu.Unlock()
		tell("sent_total", who, st.sent)
		tell("delivered_total", who, st.delivered)
		tell("received_total", who, st.received)
		tell("dropped_total", who, st.dropped)
		tell("queued", who, uint64(queued))
		tell("reconnects_total", who, max(st.links, 1)-1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tell("dropped_total", "", r.dropped)
	return out
}
