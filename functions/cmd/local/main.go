// Local serves the function on loopback, with the framework that the platform serves it with:
//
//	cd functions && PEERLAB_STORE=firestore://my-project/labs FIRESTORE_EMULATOR_HOST=127.0.0.1:8080 go run ./cmd/local 8081
package main

import (
	"fmt"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "peerlab.example/peerlab/functions"
)

func main() {
	port := "8081"
	if len(os.Args) == 2 {
		port = os.Args[1]
	}
	// The framework serves all functions, or the one that FUNCTION_TARGET names.
	if err := os.Setenv("FUNCTION_TARGET", "Peerlab"); err != nil {
		fail(err)
	}
	fail(funcframework.StartHostPort("127.0.0.1", port))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "local:", err)
	os.Exit(1)
}
