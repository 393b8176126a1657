//go:build peerlab_guest

package guest

import _ "embed"

// embedded is the guest, compressed. `task build` makes the file.
//
//go:embed guest.wasm.gz
var embedded []byte
