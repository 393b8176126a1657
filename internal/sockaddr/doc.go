// Package sockaddr stands in for github.com/hashicorp/go-sockaddr where that
// module does not build: it has no file for GOOS=wasip1.
//
// It offers what memberlist v0.7.0 calls and nothing else: [NewIPAddr],
// [IfAddr] and [IfByRFC], with which memberlist decides whether to warn about
// an unencrypted public address, and [GetPrivateIP], with which its own
// network transport picks an address to advertise. peerlab never uses that
// transport.
//
// Ordinary builds use the module itself. The build of a simulation's guest writes these files out as a module of that path, and
// names it in a replace directive of a mod file of its own (internal/sim/guest).
package sockaddr
