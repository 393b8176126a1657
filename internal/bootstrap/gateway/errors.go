package gateway

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// errorBody is a google.rpc.Status as JSON, and what people look for first.
type errorBody struct {
	Code    codes.Code        `json:"code"`
	Message string            `json:"message"`
	Field   string            `json:"field,omitempty"` // the first one that is wrong
	Details []json.RawMessage `json:"details,omitempty"`
}

// WriteError answers with an error as the service does, under the HTTP status of its code.
func WriteError(w http.ResponseWriter, err error) {
	writeStatus(w, runtime.HTTPStatusFromCode(status.Code(err)), err)
}

func writeStatus(w http.ResponseWriter, httpStatus int, err error) {
	st := status.Convert(err)
	body := errorBody{Code: st.Code(), Message: st.Message()}
	h := w.Header()
	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.BadRequest:
			if body.Field == "" && len(detail.GetFieldViolations()) > 0 {
				body.Field = detail.GetFieldViolations()[0].GetField()
			}
		case *errdetails.RetryInfo:
			wait := detail.GetRetryDelay().AsDuration()
			h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		}
	}
	for _, detail := range st.Proto().GetDetails() {
		// A detail of a type that this program does not know is left out: the rest still says what is wrong.
		if b, err := protojson.Marshal(detail); err == nil {
			body.Details = append(body.Details, b)
		}
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if st.Code() == codes.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(httpStatus)
	// The client may be gone, and nobody else is to be told.
	_ = json.NewEncoder(w).Encode(body)
}

// muxError is WriteError as the gateway's mux wants it.
func muxError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	WriteError(w, err)
}

// badField is INVALID_ARGUMENT for one field, as the service itself would say it.
func badField(field, description string) error {
	st := status.New(codes.InvalidArgument, field+": "+description)
	detailed, err := st.WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}},
	})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

// Refuse answers each request with INTERNAL, for a service that cannot be: it was set up wrongly.
func Refuse(why error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteError(w, status.Errorf(codes.Internal, "this service is not configured: %v", why))
	})
}
