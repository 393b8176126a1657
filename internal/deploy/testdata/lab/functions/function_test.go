package bootstrapfn

import (
	"testing"

	"peerlab.example/peerlab/greet"
	"peerlab.example/peerlab/onlytests"
)

func TestText(t *testing.T) {
	if greet.Text() != onlytests.Want {
		t.Error(greet.Text())
	}
}
