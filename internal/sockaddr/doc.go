// Package sockaddr stands in for github.com/hashicorp/go-sockaddr where that
// module does not build: it has no file for GOOS=wasip1.
//
// It offers what memberlist v0.7.0 calls and nothing else: [NewIPAddr],
// [IfAddr] and [IfByRFC], with which memberlist decides whether to warn about
// an unencrypted public address, and [GetPrivateIP], with which its own
// network transport picks an address to advertise. peerlab never uses that
// transport.
//
// This is a module of its own, under the replaced module's path. Ordinary
// builds do not see it; a wasip1 build names it in a replace directive, in a
// mod file used for that build only (see the test in internal/house).
package sockaddr
