// Package lab is one peer with all that surrounds it wherever it runs, in a process or in a simulation: its table of commands
// (its own, its applications' and the console's), its settings, and its console. It opens no socket and looks at no clock but
// what it is given; package cli gives it those of the system.
package lab
