package node

import (
	"net/http"
	"strings"
)

// GuardPages is Guard for what people open in a browser: it takes the token also as the password of HTTP's Basic
// authentication, with any name, which a browser asks for.
func (s *Security) GuardPages(h http.Handler) http.Handler {
	if s == nil || s.token == "" && s.operator == "" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, token, ok := req.BasicAuth()
		if !ok {
			token = bearerOf(req)
		}
		if token = strings.TrimSpace(token); !is(token, s.token) && !is(token, s.operator) {
			w.Header().Set("WWW-Authenticate", `Basic realm="the token of this lab is the password", charset="UTF-8"`)
			http.Error(w, "send the token of this lab as the password, with any name", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, req)
	})
}
