package sockaddr

import "embed"

// Source is the source of this package, for those who build it in place of the module: beside it they put a go.mod.
//
//go:embed doc.go rfc6890.go sockaddr.go
var Source embed.FS

// Module is the module that it stands in for.
const Module = "github.com/hashicorp/go-sockaddr"
