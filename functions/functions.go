// Package functions is what the platform of Cloud Functions builds and starts: it registers the bootstrap service
// over Firestore as the HTTP function Peerlab. Nothing imports it. Its folder, with its
// dependencies vendored, is what "peerlab functions deploy" uploads.
package functions

import (
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
)

// The framework knows functions by what init registers.
func init() { //nolint:gochecknoinits // that is its way
	framework.HTTP("Peerlab", handler().ServeHTTP)
}

// handler is made when an instance starts, and kept as long as that lives. An instance that is
// not configured starts all the same, and says what is missing: a platform shows the log of one that does
// not start to nobody who calls it.
func handler() http.Handler {
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()
	config, err := function.FromEnvironment(os.Getenv, log)
	if err != nil {
		log.Error().Err(err).Msg("the function is not configured")
		return gateway.Refuse(err)
	}
	return function.New(config)
}
