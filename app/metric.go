package app

// Meter is implemented by an App that counts what it does. Its numbers stand beside those of the peer: the command
// "metrics" shows them, and suites compare them (expect bob metric chat_received_total{from=alice} = 3).
type Meter interface {
	// Metrics are the numbers that there are. Called once, before Start.
	Metrics() []Metric
	// Measure tells them as they are now. It may be called at any time, also while the App is not started, from any
	// goroutine, and must answer at once, from memory.
	Measure() []Sample
}

// Metric is a number, or several that differ by labels.
type Metric struct {
	// Name is of lower-case letters, digits and _, as Prometheus has it; the peer puts the App's name and a _ before it. One that
	// ends in _total begins at 0 and only grows; a label value that was never seen counts as 0 there.
	Name string
	// Help is one line in lower case, without a full stop.
	Help string
	// Labels tell the numbers of one name apart, such as "from".
	Labels []string
}

// Sample is the value of one number.
type Sample struct {
	// Name is that of the Metric.
	Name string
	// Labels are the values of the Metric's labels, in their order.
	Labels []string
	Value  float64
}
