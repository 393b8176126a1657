package node

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"

	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// Version says which build this is, for a node of that role and name.
func Version(role, name string) *nodev1.VersionResponse {
	v := &nodev1.VersionResponse{
		Role: role, Name: name, Version: "(unknown)",
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// VersionLine is a version for people: "peerlab v0.1.0 (revision, go1.26 linux/amd64)".
func VersionLine() string {
	v := Version("", "")
	parts := []string{}
	if v.GetRevision() != "" {
		r := v.GetRevision()[:min(12, len(v.GetRevision()))]
		if v.GetModified() {
			r += ", modified"
		}
		parts = append(parts, r)
	}
	parts = append(parts, v.GetGoVersion()+" "+v.GetPlatform())
	return v.GetVersion() + " (" + strings.Join(parts, ", ") + ")"
}

// versionService answers NodeService.
type versionService struct {
	nodev1.UnimplementedNodeServiceServer
	answer *nodev1.VersionResponse
}

func (s versionService) Version(context.Context, *nodev1.VersionRequest) (*nodev1.VersionResponse, error) {
	return s.answer, nil
}
