// Package study runs one suite in the simulation with several values of one of its params, such as how many peers there are, some times
// each with another seed, and takes together what the suite measures. Where a measure has a name that package predict has a formula for, what
// theory expects stands beside it, so that a user sees how far a small lab tells of a large one.
package study
