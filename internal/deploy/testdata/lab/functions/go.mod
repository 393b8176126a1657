module peerlab.example/peerlab/functions

go 1.26.0

require (
	github.com/GoogleCloudPlatform/functions-framework-go v1.9.2
	peerlab.example/peerlab v0.0.0
)

replace (
	github.com/GoogleCloudPlatform/functions-framework-go => ../framework
	peerlab.example/peerlab => ../
)
