//go:build !peerlab_guest

package guest

// embedded is the guest of programs that carry none.
var embedded []byte
