// Command peerlab is the lab with the chat as its application.
package main

import (
	"peerlab.example/peerlab"
	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
)

func main() {
	peerlab.Main(func() app.App { return chat.New() })
}
