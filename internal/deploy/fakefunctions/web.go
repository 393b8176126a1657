package fakefunctions

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxUpload is the limit of the real signed URLs, in bytes.
const maxUpload = 100 << 20

// receive takes an archive as a signed URL does.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	if s.breaks() {
		_, _ = io.CopyN(io.Discard, r.Body, max(r.ContentLength/2, 1))
		panic(http.ErrAbortHandler) // closes the connection
	}
	object := r.PathValue("object")
	s.mu.Lock()
	code := s.behavior.UploadStatus
	_, known := s.places[object]
	s.mu.Unlock()
	switch {
	case code != 0:
		http.Error(w, "<Error><Code>Refused</Code><Message>the upload is refused</Message></Error>", code)
		return
	case r.Method != http.MethodPut || !known || r.URL.Query().Get("signature") != "secret":
		http.Error(w, "no such upload", http.StatusForbidden)
		return
	case r.Header.Get("Authorization") != "" || r.Header.Get("Content-Type") != "application/zip":
		http.Error(w, "the headers are not those of the signature", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	upload := &Upload{Header: r.Header.Clone(), Bytes: int64(len(body))}
	if archive, err := zip.NewReader(bytes.NewReader(body), upload.Bytes); err == nil {
		upload.Files, err = files(archive)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[object] = upload
	s.uploads = append(s.uploads, upload)
}

// breaks reports whether this upload is to break.
func (s *Server) breaks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behavior.BreakUploads == 0 {
		return false
	}
	s.behavior.BreakUploads--
	return true
}

func readFile(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(r, 5*maxUpload))
	if err != nil {
		return "", err
	}
	return string(b), r.Close()
}

// policy is who may do what with a service of Cloud Run.
type policy struct {
	Bindings []binding `json:"bindings,omitempty"`
	Etag     string    `json:"etag"`
}

type binding struct {
	Role    string   `json:"role"`
	Members []string `json:"members"`
}

// public reports whether everybody may call.
func (p *policy) public() bool {
	return p != nil && slices.ContainsFunc(p.Bindings, func(b binding) bool {
		return b.Role == "roles/run.invoker" && slices.Contains(b.Members, "allUsers")
	})
}

// servePolicy answers SERVICE:getIamPolicy and SERVICE:setIamPolicy as the Cloud Run Admin API does.
func (s *Server) servePolicy(w http.ResponseWriter, r *http.Request) {
	service, verb, _ := strings.Cut(r.PathValue("service"), ":")
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.policies[service]
	if now == nil {
		now = &policy{Etag: "1"}
	}
	switch {
	case s.behavior.ForbidPolicy:
		refuse(w, http.StatusForbidden, "Permission 'run.services."+verb+"' denied on resource '"+service+"'")
		return
	case verb == "getIamPolicy" && r.Method == http.MethodGet:
	case verb == "setIamPolicy" && r.Method == http.MethodPost:
		var request struct{ Policy *policy }
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&request); err != nil || request.Policy == nil {
			refuse(w, http.StatusBadRequest, "no policy")
			return
		}
		if request.Policy.Etag != now.Etag {
			refuse(w, http.StatusConflict, "the policy has changed")
			return
		}
		revision, _ := strconv.Atoi(now.Etag) // written here only
		now = request.Policy
		now.Etag = strconv.Itoa(revision + 1)
		s.policies[service] = now
	default:
		refuse(w, http.StatusNotFound, fmt.Sprintf("no method %s %s", r.Method, r.URL.Path))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(now) // the client is gone
}

// refuse answers with an error in the form of Google's JSON APIs.
func refuse(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": message}})
}
