package node

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuardPages(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	s, err := LoadSecurity(SecurityConfig{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	h := s.GuardPages(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) }))
	for name, tt := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"nothing":            {func(*http.Request) {}, 401},
		"password":           {func(r *http.Request) { r.SetBasicAuth("anybody", token) }, 200},
		"no name":            {func(r *http.Request) { r.SetBasicAuth("", token) }, 200},
		"wrong password":     {func(r *http.Request) { r.SetBasicAuth("anybody", token+"x") }, 401},
		"token as the name":  {func(r *http.Request) { r.SetBasicAuth(token, "") }, 401},
		"bearer":             {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }, 200},
		"wrong bearer":       {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
		"token in the query": {func(r *http.Request) { r.URL.RawQuery = "token=" + token }, 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		tt.set(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want || (w.Code == 200) != strings.Contains(w.Body.String(), "page") {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tt.want)
		}
		if w.Code == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: a browser would not ask", name)
		}
	}
	var none *Security
	w := httptest.NewRecorder()
	none.GuardPages(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 404 {
		t.Errorf("without a token: %d", w.Code)
	}
}
