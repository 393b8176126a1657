package function

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/node"
)

// Variables of the environment that configure a function.
const (
	EnvStore    = "PEERLAB_STORE"          // firestore://PROJECT/COLLECTION; needed
	EnvToken    = "PEERLAB_TOKEN"          //nolint:gosec // the name of the secret that calls must carry
	EnvOperator = "PEERLAB_OPERATOR_TOKEN" //nolint:gosec // the name of the secret of operators
	EnvStream   = "PEERLAB_STREAM"         // true lets Watch stream
	// EnvEmulator is the host:port of a Firestore emulator, as Google's own libraries call it.
	EnvEmulator = "FIRESTORE_EMULATOR_HOST"
)

// FromEnvironment is the configuration of a function whose platform gives it variables. Nothing is called: a function starts
// fast, and finds its store with the first request.
func FromEnvironment(getenv func(string) string, log zerolog.Logger) (Config, error) {
	var errs []error
	store, err := firestore.Parse(getenv(EnvStore))
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", EnvStore, err))
	}
	store.Log, store.Endpoint = log, getenv(EnvEmulator)
	security, err := node.LoadSecurity(node.SecurityConfig{Token: getenv(EnvToken), OperatorToken: getenv(EnvOperator)})
	if err != nil {
		errs = append(errs, fmt.Errorf("%s or %s: %w", EnvToken, EnvOperator, err))
	}
	stream := false
	if text := getenv(EnvStream); text != "" {
		if stream, err = strconv.ParseBool(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is neither true nor false", EnvStream, text))
		}
	}
	return Config{Open: Over(store), Security: security, Stream: stream, Log: log}, errors.Join(errs...)
}

// Over opens a store on Firestore.
func Over(c firestore.Config) func(context.Context) (Store, error) {
	return func(ctx context.Context) (Store, error) { return firestore.Open(ctx, c) }
}
