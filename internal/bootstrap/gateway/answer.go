package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxError bounds how much of an answer is read that says what went wrong.
const maxError = 64 << 10

// refused is the error of an answer: that of the service, or what the answer of something before
// it means, such as a proxy or the platform that a function runs on.
func (c *Conn) refused(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if err != nil {
		return status.Errorf(codes.Unavailable, "%s: %v", c.base, err)
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && t == "application/json" {
		if err := decodeError(body); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s: HTTP %s", c.base, resp.Status)
	if location := resp.Header.Get("Location"); location != "" {
		text += " to " + quoted(location) + ": redirects are not followed, give that URL if you trust it"
	} else if line := firstLine(body); line != "" {
		text += ": " + quoted(line)
	}
	return status.Error(foreignCode(resp.StatusCode), text)
}

// decodeError reads a google.rpc.Status; nil if the body is none, or says that all is well.
func decodeError(body []byte) error {
	var st spb.Status
	options := protojson.UnmarshalOptions{DiscardUnknown: true}
	if options.Unmarshal(body, &st) != nil {
		// Perhaps a detail of a type that this program does not know: the rest is worth having.
		var known errorBody
		if json.Unmarshal(body, &known) != nil {
			return nil
		}
		st = spb.Status{Code: int32(known.Code), Message: known.Message} //nolint:gosec // a small number, or nonsense
	}
	return status.ErrorProto(&st)
}

// foreignCode is what an HTTP status means that does not come from the service. Clients try again only
// what is UNAVAILABLE.
func foreignCode(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return codes.Unimplemented // there is something, but no bootstrap service
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return codes.ResourceExhausted
	case http.StatusTooManyRequests, // of a platform that has no instance free
		http.StatusRequestTimeout, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	}
	if httpStatus >= 300 && httpStatus < 500 {
		return codes.FailedPrecondition
	}
	return codes.Unknown
}

func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return strings.TrimSpace(line)
}

// quoted makes a stranger's text fit for a message: short, and without control characters.
func quoted(text string) string {
	const most = 200
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
