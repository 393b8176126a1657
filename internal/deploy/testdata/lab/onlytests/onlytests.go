// Package onlytests is imported by tests of the function alone.
package onlytests

// Want is what the test wants.
const Want = "hello from a vendored package"
