package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/deploy"
)

func newFunctions(std Stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "functions",
		Short: "run the bootstrap service as a Cloud Function of Google Cloud",
		Long: "The function is the bootstrap service over HTTP/JSON, with rosters in Firestore. docs/functions.md leads\n" +
			"from an empty project to peers that use it.",
		Args: cobra.NoArgs, // so that an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFunctionsServe(std), newFunctionsDeploy(std), newFunctionsStatus(std), newFunctionsDelete(std))
	return cmd
}

// functionsFlags are the flags of all that talk to the Cloud Functions API.
type functionsFlags struct {
	config  deploy.Config
	options deploy.Options
}

// add gives a command the flags that say where the function is.
func (f *functionsFlags) add(cmd *cobra.Command) {
	f.config = deploy.DefaultConfig()
	flags := cmd.Flags()
	flags.StringVar(&f.config.Project, "project", os.Getenv("GOOGLE_CLOUD_PROJECT"), "id of the Google Cloud project; the variable GOOGLE_CLOUD_PROJECT says it too")
	flags.Lookup("project").DefValue = "" // help is the same everywhere
	flags.StringVar(&f.config.Region, "region", f.config.Region, "region of the function")
	flags.StringVar(&f.config.Name, "name", f.config.Name, "name of the function")
	flags.StringVar(&f.options.Endpoint, "endpoint", "", "host:port of the Cloud Functions API; on a loopback address without TLS and credentials (default Google's)")
}

// run connects and does something, until that is done or a signal comes.
func (f *functionsFlags) run(ctx context.Context, std Stdio, do func(context.Context, *deploy.Deployer) error) error {
	ctx, stop := untilSignal(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	f.options.Progress = progressTo(std)
	d, err := deploy.New(ctx, f.options)
	if err != nil {
		return err
	}
	err = errors.Join(do(ctx, d), d.Close())
	if interrupted(ctx) == nil && status.Code(err) == codes.Unavailable {
		return exit{exitUnreachable, err}
	}
	return endedBySignal(ctx, err)
}

// plan prints what a deployment would send. A signal ends it, and it leaves nothing behind.
func (f *functionsFlags) plan(ctx context.Context, std Stdio) error {
	ctx, stop := untilSignal(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	plan, err := f.config.Plan(ctx, progressTo(std))
	if err != nil {
		return endedBySignal(ctx, err)
	}
	_, err = std.Out.Write(plan)
	return err
}

// progressTo writes a line for each thing that happens to standard error.
func progressTo(std Stdio) func(line string) {
	return func(line string) { _, _ = fmt.Fprintln(std.Err, command.Clean(line)) }
}

// endedBySignal gives an error the exit code of the signal that caused it, if one came.
func endedBySignal(ctx context.Context, err error) error {
	var signal exit
	if err != nil && errors.As(interrupted(ctx), &signal) {
		return exit{signal.code, err}
	}
	return err
}

// wrong are all mistakes on the command line.
func wrong(errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return exit{exitUsage, err}
	}
	return nil
}

func newFunctionsDeploy(std Stdio) *cobra.Command {
	var f functionsFlags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "deploy the function, or a new version of it",
		Long: "Vendors the source into an archive, uploads it, creates or updates the function, and waits until it\n" +
			"serves. Standard output has the URL then, which is what --bootstrap of peers wants; all else goes to\n" +
			"standard error. A function that is there keeps the settings whose flags are not given.\n\n" +
			"Without --allow-unauthenticated Google lets in only callers that send an identity token of Google whose\n" +
			"account has the role roles/run.invoker. Peers do not: they send the token of the lab, in the same header.\n" +
			"For peers, give both --allow-unauthenticated and --token-secret: Google lets everybody through then, and\n" +
			"the function refuses who does not send the token.",
		Example: "  peerlab functions deploy --project my-lab-123456 --dry-run\n" +
			"  peerlab functions deploy --project my-lab-123456 --allow-unauthenticated --token-secret peerlab-token",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.Flags().Visit(func(flag *pflag.Flag) { f.config.Said = append(f.config.Said, flag.Name) })
			if err := wrong(f.config.Validate(), f.options.Validate()); err != nil {
				return err
			}
			if dryRun {
				return f.plan(cmd.Context(), std)
			}
			return f.run(cmd.Context(), std, func(ctx context.Context, d *deploy.Deployer) error {
				r, err := d.Deploy(ctx, f.config)
				if err != nil {
					return err
				}
				f.noteAccess(std, r)
				_, err = fmt.Fprintln(std.Out, command.Clean(deploy.URL(r.Function)))
				return err
			})
		},
	}
	f.add(cmd)
	f.addDeploy(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the requests and the files of the archive as JSON, and send nothing")
	return cmd
}

// addDeploy adds the flags that say what is deployed.
func (f *functionsFlags) addDeploy(flags *pflag.FlagSet) {
	c := &f.config
	flags.StringVar(&c.Source, "source", c.Source, "folder of the module with the function")
	flags.StringVar(&c.EntryPoint, "entry-point", c.EntryPoint, "name that the source registers the function by")
	flags.StringVar(&c.Runtime, "runtime", c.Runtime, "runtime of Google Cloud")
	flags.StringVar(&c.Memory, "memory", c.Memory, "memory of an instance, such as 256Mi")
	flags.StringVar(&c.CPU, "cpu", c.CPU, "vCPUs of an instance; less than 1 allows only --concurrency 1")
	flags.DurationVar(&c.Timeout, "timeout", c.Timeout, "limit for one request, up to 1h; also for a stream of rosters")
	flags.Int32Var(&c.Concurrency, "concurrency", c.Concurrency, "requests that one instance answers at a time")
	flags.Int32Var(&c.MinInstances, "min-instances", c.MinInstances, "instances that run, and cost, even when nobody calls")
	flags.Int32Var(&c.MaxInstances, "max-instances", c.MaxInstances, "most instances that run at a time, which bounds the cost")
	flags.StringVar(&c.Collection, "collection", c.Collection, "collection of Firestore that has the rosters")
	flags.StringVar(&c.ServiceAccount, "service-account", "", "email of the account that the function runs as (default the project's Compute Engine account)")
	flags.StringVar(&c.TokenSecret, "token-secret", "", "NAME or NAME:VERSION of the secret in Secret Manager that has the token of the lab; without one the function asks for none")
	flags.StringVar(&c.OperatorSecret, "operator-secret", "", "the same for the token of operators, which Reset and UpdateConfig ask for")
	flags.StringArrayVar(&c.SetEnv, "set-env", nil, "KEY=VALUE for the environment of the function; may be repeated")
	flags.StringArrayVar(&c.UnsetEnv, "unset-env", nil, "KEY to take from the environment of a function that is there; may be repeated")
	flags.BoolVar(&c.AllowUnauthenticated, "allow-unauthenticated", false, "give everybody (allUsers) the role to call the function, which peers need; with --token-secret it still asks for the token")
	flags.StringVar(&f.options.RunEndpoint, "run-endpoint", "", "URL of the Cloud Run Admin API, for --allow-unauthenticated (default Google's)")
}

// noteAccess says who gets in, where that is probably not what was meant.
func (f *functionsFlags) noteAccess(std Stdio, r *deploy.Result) {
	token := slices.ContainsFunc(r.Function.GetServiceConfig().GetSecretEnvironmentVariables(), func(s *functionspb.SecretEnvVar) bool {
		return s.GetKey() == deploy.TokenVariable
	})
	switch {
	case f.config.AllowUnauthenticated && !token:
		_, _ = fmt.Fprintln(std.Err, "note: everybody who knows the URL can change rosters; --token-secret makes the function ask for a token")
	case r.Created && !f.config.AllowUnauthenticated:
		_, _ = fmt.Fprintln(std.Err, "note: Google lets in only callers with the role roles/run.invoker, and peers have none; see --allow-unauthenticated")
	}
}

func newFunctionsStatus(std Stdio) *cobra.Command {
	var f functionsFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "show the function: its state, URL and settings",
		Example: "  peerlab functions status --project my-lab-123456",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := wrong(f.config.ValidatePlace(), f.options.Validate()); err != nil {
				return err
			}
			return f.run(cmd.Context(), std, func(ctx context.Context, d *deploy.Deployer) error {
				function, err := d.Status(ctx, f.config)
				if err != nil {
					return err
				}
				text := statusText(function)
				if asJSON {
					text = protojson.Format(function)
				}
				_, err = fmt.Fprintln(std.Out, text)
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "the whole answer of the API as JSON")
	return cmd
}

// statusText has a line for each thing that is known of a function.
func statusText(f *functionspb.Function) string {
	var lines []string
	add := func(what, value string) {
		if value != "" {
			lines = append(lines, fmt.Sprintf("%-12s %s", what, command.Clean(value)))
		}
	}
	s := f.GetServiceConfig()
	add("function", f.GetName())
	add("state", f.GetState().String())
	for _, m := range f.GetStateMessages() {
		add("message", strings.ToLower(m.GetSeverity().String())+" "+m.GetType()+": "+strings.Join(strings.Fields(m.GetMessage()), " "))
	}
	add("url", deploy.URL(f))
	add("revision", s.GetRevision())
	if f.GetUpdateTime() != nil {
		add("updated", f.GetUpdateTime().AsTime().Format(time.RFC3339))
	}
	add("runtime", f.GetBuildConfig().GetRuntime()+", entry point "+f.GetBuildConfig().GetEntryPoint())
	add("environment", f.GetEnvironment().String())
	add("instances", fmt.Sprintf("%d to %d, each with %s memory, %s vCPU and %d requests of up to %ds",
		s.GetMinInstanceCount(), s.GetMaxInstanceCount(), s.GetAvailableMemory(), s.GetAvailableCpu(),
		s.GetMaxInstanceRequestConcurrency(), s.GetTimeoutSeconds()))
	add("runs as", s.GetServiceAccountEmail())
	for _, key := range slices.Sorted(maps.Keys(s.GetEnvironmentVariables())) {
		add("variable", key+"="+s.GetEnvironmentVariables()[key])
	}
	for _, secret := range s.GetSecretEnvironmentVariables() {
		add("secret", fmt.Sprintf("%s from %s:%s", secret.GetKey(), secret.GetSecret(), secret.GetVersion()))
	}
	return strings.Join(lines, "\n")
}

func newFunctionsDelete(std Stdio) *cobra.Command {
	var f functionsFlags
	cmd := &cobra.Command{
		Use:     "delete",
		Short:   "delete the function; rosters in Firestore and the secret stay",
		Example: "  peerlab functions delete --project my-lab-123456",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := wrong(f.config.ValidatePlace(), f.options.Validate()); err != nil {
				return err
			}
			return f.run(cmd.Context(), std, func(ctx context.Context, d *deploy.Deployer) error {
				if err := d.Delete(ctx, f.config); err != nil {
					return err
				}
				_, err := fmt.Fprintf(std.Out, "deleted %s\n", f.config.Name)
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}
