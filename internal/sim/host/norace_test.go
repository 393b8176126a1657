//go:build !race

package host

// raced is whether the race detector is in.
const raced = false
