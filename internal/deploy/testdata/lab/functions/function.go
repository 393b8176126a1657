// Package bootstrapfn is a function of the same shape as the real one: a part of the main module vendored, the
// framework, and a file that is embedded.
package bootstrapfn

import (
	_ "embed"
	"net/http"

	_ "github.com/GoogleCloudPlatform/functions-framework-go/funcframework" // for the buildpack
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"peerlab.example/peerlab/greet"
)

//go:embed static/page.txt
var page string

func init() {
	functions.HTTP("Peerlab", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(page + greet.Text()))
	})
}
