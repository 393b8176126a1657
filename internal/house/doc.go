// Package house has no code: its tests guard how peerlab is built.
//
// They check which package may import which, that the core of a peer asks the
// operating system for nothing, that it builds for GOOS=wasip1, that files stay
// readable, and that no package leaves goroutines behind unseen. Each test
// states its rule in a table; to change a rule, change the table and say why.
package house
