// Package greet stands for the packages of the main module that the function imports.
package greet

// Text is what the function answers.
func Text() string { return "hello from a vendored package" }
