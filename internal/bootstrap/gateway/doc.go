// Package gateway is the bootstrap service as HTTP/JSON: a handler that puts it before the gRPC
// service, and a connection that lets a gRPC client speak it.
//
// The mapping is in proto/peerlab/bootstrap/v1/http.yaml, the description that is generated from it at
// /openapi.json. Both sides keep the meaning of gRPC: an error is a google.rpc.Status as JSON,
// with the first wrong field beside it, under the HTTP status that belongs to its code:
//
//	{"code":3,"message":"peer.port: must be 1 to 65535, not 0","field":"peer.port","details":[…]}
//
// A request is taken strictly. Unknown fields and parameters, bodies after the body and such that are not
// declared as JSON are refused: what a sender thinks it said must be what the service does.
//
// Watch is a stream of lines, {"result":{"roster":…}} or a last {"error":…}. Where a platform
// does not stream, Watch is UNIMPLEMENTED, and the connection asks again and again with the revision that it has.
package gateway
