package sockaddr

import (
	"errors"
	"fmt"
	"net/netip"
)

// errNoInterfaces is what GetPrivateIP returns.
var errNoInterfaces = errors.New("network interfaces cannot be listed on this platform")

// SockAddr is an address that an [IfAddr] can hold. Only [IPAddr] is one.
type SockAddr interface {
	// String returns the address as text.
	String() string
}

// IPAddr is one IPv4 or IPv6 address.
type IPAddr struct {
	netip.Addr
}

// IfAddr is an address of a network interface. The real module also holds the
// interface here; memberlist leaves it empty.
type IfAddr struct {
	SockAddr
}

// NewIPAddr parses an IP address such as 10.0.0.1 or fe80::1, without a port
// and without a prefix length.
func NewIPAddr(addr string) (IPAddr, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return IPAddr{}, fmt.Errorf("invalid IPAddr %s: %w", addr, err)
	}
	return IPAddr{Addr: ip.Unmap()}, nil
}

// IfByRFC splits ifAddrs into the addresses that the RFC names and the others.
// The only RFC known is "6890", the registry of special-purpose addresses.
func IfByRFC(rfc string, ifAddrs []IfAddr) (matched, remainder []IfAddr, err error) {
	if rfc != "6890" {
		return nil, nil, fmt.Errorf("unsupported RFC %q", rfc)
	}
	for _, ifAddr := range ifAddrs {
		if ip, ok := ifAddr.SockAddr.(IPAddr); ok && isSpecialPurpose(ip.Addr) {
			matched = append(matched, ifAddr)
		} else {
			remainder = append(remainder, ifAddr)
		}
	}
	return matched, remainder, nil
}

// GetPrivateIP always fails: wasip1 knows no network interfaces.
func GetPrivateIP() (string, error) {
	return "", errNoInterfaces
}
