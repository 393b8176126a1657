package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	neturl "net/url"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
)

const (
	uploadTries = 4
	uploadPause = 500 * time.Millisecond // before the second try; twice as long before each further one
	// uploadAnswer is how long the storage may think after it has the whole archive.
	uploadAnswer = 2 * time.Minute
	// maxReply bounds what is read of an error page, in bytes.
	maxReply = 2 << 10
)

// uploadClient is for signed URLs: it carries no credentials, and follows no redirection to elsewhere.
func uploadClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   30 * time.Second,
			ResponseHeaderTimeout: uploadAnswer,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// uploadArchive uploads the archive, and returns what names it in the request for the function.
func (d *Deployer) uploadArchive(ctx context.Context, c Config, a *Archive) (*functionspb.StorageSource, error) {
	place, err := d.client.GenerateUploadUrl(ctx, c.uploadRequest(), quick()...)
	if err != nil {
		return nil, explain(err, "get a URL to upload to", c)
	}
	if err := secureURL(place.GetUploadUrl()); err != nil {
		return nil, fmt.Errorf("the API gave an upload URL that is not used: %w", err)
	}
	pause := uploadPause
	for try := 1; ; try++ {
		err = d.put(ctx, place.GetUploadUrl(), a.Zip)
		var again *againError
		if err == nil || ctx.Err() != nil || !errors.As(err, &again) || try == uploadTries {
			break
		}
		d.options.Progress(fmt.Sprintf("upload: try %d of %d failed, again in %s: %v", try, uploadTries, pause, err))
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause *= 2
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("upload the archive: %w; nothing is deployed", context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("upload the archive: %w; nothing is deployed", err)
	}
	return place.GetStorageSource(), nil
}

// againError is a failure of an upload that the next try may not have.
type againError struct{ error }

// Unwrap is the failure.
func (e *againError) Unwrap() error { return e.error }

// put sends the archive once. The headers are those that GenerateUploadUrl documents: the type of the content, and no
// Authorization, since the URL is signed.
func (d *Deployer) put(ctx context.Context, place string, archive []byte) error {
	body := &meter{r: bytes.NewReader(archive), total: int64(len(archive)), report: d.options.Progress}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, place, body)
	if err != nil {
		return withoutQuery(err)
	}
	request.ContentLength = int64(len(archive))
	request.Header.Set("Content-Type", "application/zip")
	response, err := d.upload.Do(request)
	body.stop()
	if err != nil {
		return &againError{withoutQuery(err)}
	}
	defer func() { _ = response.Body.Close() }() // only read
	reply, _ := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if response.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("the storage answers %s: %s", response.Status, strings.Join(strings.Fields(string(reply)), " "))
	switch response.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &againError{err}
	}
	return err
}

// withoutQuery takes the URL from an error: who has a signed URL can upload.
func withoutQuery(err error) error {
	var u *neturl.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// meter reports how much of a body has been read, in quarters. The HTTP client reads in a goroutine of its own, which
// may go on after an early answer; stop ends the reports.
type meter struct {
	r      io.Reader
	total  int64
	report func(string)

	mu      sync.Mutex
	read    int64 // guarded by mu
	quarter int64 // guarded by mu; the last one reported
	stopped bool  // guarded by mu
}

// Read reads on.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read += int64(n)
	if quarter := m.read * 4 / max(m.total, 1); quarter > m.quarter && !m.stopped {
		m.quarter = quarter
		m.report(fmt.Sprintf("upload: %d%% of %s", quarter*25, megabytes(m.total)))
	}
	return n, err
}

func (m *meter) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
}

// secureURL refuses URLs that would send in clear what others can read.
func secureURL(text string) error {
	u, err := neturl.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is no URL") // without the text, which may be signed
	case u.Host == "":
		return errors.New("it has no host")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("https is needed for %s", u.Host)
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
