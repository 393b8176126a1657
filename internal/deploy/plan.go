package deploy

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"cloud.google.com/go/functions/apiv2/functionspb"
)

// plan is what a dry run shows.
type plan struct {
	Archive planArchive `json:"archive"`
	// Upload asks for a URL, to which the archive is sent.
	Upload json.RawMessage `json:"generateUploadUrl"`
	// Create is sent if the function is not there.
	Create json.RawMessage `json:"createFunction"`
	// Update is sent if it is. Its environment variables are added to those that the function has.
	Update json.RawMessage `json:"updateFunction"`
	// Access is added to the policy of the Cloud Run service.
	Access *planAccess `json:"setIamPolicy,omitempty"`
}

type planArchive struct {
	Bytes  int        `json:"bytes"`
	SHA256 string     `json:"sha256"`
	Files  []planFile `json:"files"`
}

type planFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

type planAccess struct {
	Role   string `json:"role"`
	Member string `json:"member"`
}

// Plan makes the archive and returns it and the requests as indented JSON, without sending anything. What only the API
// can tell is not there: whether the function exists, and the place that the archive is uploaded to. progress is that of
// Options, and may be nil.
func (c *Config) Plan(ctx context.Context, progress func(line string)) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(string) {}
	}
	a, err := c.archive(ctx, progress)
	if err != nil {
		return nil, err
	}
	p := plan{Archive: planArchive{Bytes: len(a.Zip), SHA256: a.SHA256()}}
	for _, f := range a.Files {
		p.Archive.Files = append(p.Archive.Files, planFile{f.Path, f.Size})
	}
	for _, part := range []struct {
		to      *json.RawMessage
		request proto.Message
	}{
		{&p.Upload, c.uploadRequest()},
		{&p.Create, c.createRequest(nil)},
		{&p.Update, c.updateRequest(&functionspb.Function{}, nil)},
	} {
		if *part.to, err = protojson.Marshal(part.request); err != nil {
			return nil, fmt.Errorf("request as JSON: %w", err)
		}
	}
	if c.AllowUnauthenticated {
		p.Access = &planAccess{invoker, everyone}
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("plan as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// archive makes the archive, which takes a while, and tells so.
func (c *Config) archive(ctx context.Context, progress func(line string)) (*Archive, error) {
	progress("archive: vendoring the source in " + c.Source)
	a, err := BuildArchive(ctx, c.Source)
	if err == nil {
		err = c.checkArchive(a)
	}
	if err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("archive: %d files, %s", len(a.Files), megabytes(int64(len(a.Zip)))))
	return a, nil
}
