// Command counter is a lab with an application of its own: named counters that all members add to, and that agree after
// every split. It is a module of its own, and uses nothing of peerlab that your program could not use.
package main

import (
	"peerlab.example/peerlab"
	"peerlab.example/peerlab/app"
)

func main() {
	peerlab.Main(func() app.App { return &counter{} })
}
