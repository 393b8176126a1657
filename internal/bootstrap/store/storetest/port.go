package storetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddr is an address of 127.0.0.1 at which nobody listens, for a server that takes no listener. Its port is below those
// that the system gives to whoever asks for any: until the server has started, many others ask for one.
func FreeAddr(t testing.TB) string {
	t.Helper()
	const lowest, end = 10_000, 32_000
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(end-lowest))
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		_ = l.Close() // nobody has connected
		return addr
	}
	t.Fatal("no free port")
	return ""
}
