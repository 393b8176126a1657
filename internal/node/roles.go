package node

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Who may call is a matter of two tokens. That of the lab makes its sender a member, who may call
// everything but what ServerConfig.OperatorMethods names; that of operators allows all. A service
// without any token trusts whoever reaches it.

// Operator is the view of s for connections to a service that knows operators: their calls carry the token
// of operators, if there is one, else that of the lab.
func (s *Security) Operator() *Security {
	if s == nil || s.operator == "" {
		return s
	}
	view := *s
	view.sends = s.operator
	return &view
}

// Guard answers only requests that carry a token of the lab or of operators, if there are tokens; for what an
// HTTP server has beside the calls of the gRPC server.
func (s *Security) Guard(h http.Handler) http.Handler {
	if s == nil || s.token == "" && s.operator == "" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token := bearerOf(req)
		if !is(token, s.token) && !is(token, s.operator) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "send the token of this lab as Authorization: Bearer TOKEN", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, req)
	})
}

// bearerOf is the token of a request; empty if it has none, or says that what it has is something else.
func bearerOf(req *http.Request) string {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// is compares in constant time. An empty secret is nobody's.
func is(token, secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(token), []byte(secret)) == 1
}

// authorize decides on a call by its token.
func (s *Server) authorize(ctx context.Context, method string) error {
	security := s.cfg.Security
	if security == nil || security.token == "" && security.operator == "" {
		return nil
	}
	token, err := auth.AuthFromMD(ctx, "bearer")
	token = strings.TrimSpace(token)
	switch {
	case is(token, security.operator):
		return nil
	case security.token == "" || is(token, security.token):
		return s.authorizeMember(method)
	case err != nil:
		return status.Error(codes.Unauthenticated, "this lab has a token: send it as authorization: Bearer TOKEN (--token-file)")
	}
	return status.Error(codes.Unauthenticated, "the token is not the one of this lab")
}

// authorizeMember decides on a call of somebody who is no operator.
func (s *Server) authorizeMember(method string) error {
	if !slices.Contains(s.cfg.OperatorMethods, method) {
		return nil
	}
	if s.cfg.Security.operator == "" {
		return status.Errorf(codes.PermissionDenied,
			"%s needs the role operator, which nobody has: this service was started with a token and without %s",
			path.Base(method), cmp.Or(s.cfg.OperatorSetting, "--operator-token-file"))
	}
	return status.Errorf(codes.PermissionDenied,
		"%s needs the role operator: send the token of operators as authorization: Bearer TOKEN (--operator-token-file)", path.Base(method))
}
