module peerlab.example/peerlab

go 1.26.0
