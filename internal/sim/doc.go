// Package sim runs a suite in one process: the bootstrap service, all peers and the coordinator are those of any other runner,
// on a network in memory. It starts no process, opens no socket and reads no file, and it asks only package time what time it is.
// So where time is virtual, a run takes no longer than its computing does, and where randomness and scheduling are given too
// (internal/sim/host), it is the same run each time.
package sim
