package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	functions "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Options say how a Deployer talks to Google Cloud.
type Options struct {
	// Endpoint is host:port of the Cloud Functions API; empty for Google's. Without TLS and credentials if it is a
	// loopback address, and only then.
	Endpoint string
	// RunEndpoint is the URL of the Cloud Run Admin API, which only Config.AllowUnauthenticated needs; empty for
	// Google's. With http it must be a loopback address, and no credentials are sent.
	RunEndpoint string
	// Progress is told a line for each thing that happens: one after the other, and none after the call that they
	// belong to has returned. Nil for nobody.
	Progress func(line string)
	// Poll is the time between the first two questions whether an operation has ended, which grows to twenty times as
	// much; 0 for the default of a quarter of a second.
	Poll time.Duration
}

// Validate lists what is wrong with the endpoints.
func (o *Options) Validate() error {
	var errs []error
	if o.Endpoint != "" {
		host, port, err := net.SplitHostPort(o.Endpoint)
		if err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("--endpoint %q is not host:port", o.Endpoint))
		}
	}
	if o.RunEndpoint != "" {
		if err := secureURL(o.RunEndpoint); err != nil {
			errs = append(errs, fmt.Errorf("--run-endpoint %q: %w", o.RunEndpoint, err))
		}
	}
	return errors.Join(errs...)
}

const (
	defaultPoll = 250 * time.Millisecond
	// callTimeout bounds a call with its retries. Calls only start things, and answer within seconds.
	callTimeout = 30 * time.Second
)

// Deployer deploys. It is for one goroutine.
type Deployer struct {
	options Options
	client  *functions.FunctionClient
	upload  *http.Client
}

// New connects to the API. Close ends that.
func New(ctx context.Context, o Options) (*Deployer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	var opts []option.ClientOption
	if o.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(o.Endpoint))
	}
	if host, _, err := net.SplitHostPort(o.Endpoint); err == nil && loopback(host) {
		opts = append(opts, option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	client, err := functions.NewFunctionClient(ctx, opts...)
	if err != nil {
		return nil, credentialsError(err, "connect to the Cloud Functions API")
	}
	return &Deployer{options: o, client: client, upload: uploadClient()}, nil
}

// Close ends the connections.
func (d *Deployer) Close() error {
	d.upload.CloseIdleConnections()
	return d.client.Close()
}

// Result is what a deployment led to.
type Result struct {
	Function  *functionspb.Function
	Created   bool // or else updated
	Operation string
}

// URL is where a function answers; empty while it has never been deployed.
func URL(f *functionspb.Function) string {
	if f.GetUrl() != "" {
		return f.GetUrl()
	}
	return f.GetServiceConfig().GetUri()
}

// Deploy creates or updates the function and waits until it serves.
func (d *Deployer) Deploy(ctx context.Context, c Config) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	now, err := d.find(ctx, c)
	if err != nil && status.Code(err) != codes.NotFound {
		return nil, err
	}
	if err := deployable(now); err != nil {
		return nil, err
	}
	archive, err := c.archive(ctx, d.options.Progress)
	if err != nil {
		return nil, err
	}
	source, err := d.uploadArchive(ctx, c, archive)
	if err != nil {
		return nil, err
	}
	result, err := d.apply(ctx, c, now, source)
	if err != nil {
		return nil, err
	}
	if c.AllowUnauthenticated {
		d.options.Progress("access: letting everybody call the function")
		if err := d.allowEverybody(ctx, c, result.Function); err != nil {
			return nil, fmt.Errorf("the function is deployed, but not open: %w", err)
		}
	}
	return result, nil
}

// deployable checks that the function which is there can be updated.
func deployable(now *functionspb.Function) error {
	switch {
	case now.GetEnvironment() == functionspb.Environment_GEN_1:
		return fmt.Errorf("%s is a function of the first generation, which this cannot update: take another --name, or delete it", now.GetName())
	case now.GetEventTrigger() != nil:
		return fmt.Errorf("%s is a function that events trigger, and not the bootstrap service: take another --name", now.GetName())
	}
	return nil
}

// checkArchive checks that the runtime can build the archive.
func (c *Config) checkArchive(a *Archive) error {
	major, rest, _ := strings.Cut(a.GoVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	if need := "go" + major + minor; a.GoVersion != "" && len(need) == len(c.Runtime) && need > c.Runtime {
		return fmt.Errorf("--runtime %s is older than Go %s, which the go.mod in %s demands: take --runtime %s", c.Runtime, a.GoVersion, c.Source, need)
	}
	return nil
}

// deployment is an operation whose result is a function.
type deployment interface {
	pending
	Poll(ctx context.Context, opts ...gax.CallOption) (*functionspb.Function, error)
}

// start creates the function if it is not there now, and updates it otherwise.
func (d *Deployer) start(ctx context.Context, c Config, now *functionspb.Function, source *functionspb.StorageSource) (deployment, error) {
	if now == nil {
		d.options.Progress("creating " + c.resource())
		op, err := d.client.CreateFunction(ctx, c.createRequest(source), once()...)
		if err != nil {
			return nil, started(ctx, explain(err, "create the function", c))
		}
		return op, nil
	}
	d.options.Progress("updating " + c.resource())
	op, err := d.client.UpdateFunction(ctx, c.updateRequest(now, source), once()...)
	if err != nil {
		return nil, started(ctx, explain(err, "update the function", c))
	}
	return op, nil
}

// apply creates or updates the function and waits until it serves.
func (d *Deployer) apply(ctx context.Context, c Config, now *functionspb.Function, source *functionspb.StorageSource) (*Result, error) {
	op, err := d.start(ctx, c, now, source)
	if err != nil {
		return nil, err
	}
	r := &Result{Created: now == nil, Operation: op.Name()}
	err = d.wait(ctx, op, func(ctx context.Context) (err error) {
		r.Function, err = op.Poll(ctx, quick()...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// find gets the function.
func (d *Deployer) find(ctx context.Context, c Config) (*functionspb.Function, error) {
	f, err := d.client.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: c.resource()}, quick()...)
	if err != nil {
		return nil, explainFunction(err, "look for the function "+c.Name, c)
	}
	return f, nil
}

// Status gets the function. Only the place in the Config is used.
func (d *Deployer) Status(ctx context.Context, c Config) (*functionspb.Function, error) {
	if err := c.ValidatePlace(); err != nil {
		return nil, err
	}
	return d.find(ctx, c)
}

// Delete deletes the function and waits until it is gone. Only the place in the Config is used. What the function
// has stored stays.
func (d *Deployer) Delete(ctx context.Context, c Config) error {
	if err := c.ValidatePlace(); err != nil {
		return err
	}
	op, err := d.client.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: c.resource()}, once()...)
	if err != nil {
		return started(ctx, explainFunction(err, "delete the function "+c.Name, c))
	}
	d.options.Progress("deleting " + c.resource())
	return d.wait(ctx, op, func(ctx context.Context) error { return op.Poll(ctx, quick()...) })
}

// quick are the options of calls that may be repeated.
func quick() []gax.CallOption {
	return append(once(), gax.WithRetry(func() gax.Retryer {
		return &retryer{left: 4, backoff: gax.Backoff{Initial: 250 * time.Millisecond, Max: 4 * time.Second, Multiplier: 2}}
	}))
}

// once are the options of calls that start something, and must not be repeated unseen.
func once() []gax.CallOption { return []gax.CallOption{gax.WithTimeout(callTimeout)} }

// retryer repeats a call a few times. Retries without an end would hide behind a deadline what was wrong.
type retryer struct {
	left    int
	backoff gax.Backoff
}

// Retry implements gax.Retryer.
func (r *retryer) Retry(err error) (pause time.Duration, again bool) {
	r.left--
	code := status.Code(err)
	return r.backoff.Pause(), r.left >= 0 && (code == codes.Unavailable || code == codes.ResourceExhausted)
}
