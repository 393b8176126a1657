package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/node"
)

func newCerts(std Stdio) *cobra.Command {
	var c node.CertsConfig
	cmd := &cobra.Command{
		Use:   "certs NAME…",
		Short: "make a development CA, and certificates of it",
		Long: "Makes ca.crt and ca.key, unless they are there, and NAME.crt and NAME.key for each name, signed by\n" +
			"that CA, for servers and clients. A certificate is for loopback and for what --host names. Whoever has\n" +
			"ca.key can make more; it stays where it is, and no node needs it.",
		Example: "  peerlab certs bootstrap alice bob\n" +
			"  peerlab certs --dir /etc/peerlab --host bootstrap.example,192.0.2.7 bootstrap",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			c.Names = names
			written, err := node.MakeCerts(c)
			if err != nil {
				return certsError(err)
			}
			for _, path := range written {
				_, _ = fmt.Fprintln(std.Out, "wrote", path)
			}
			for _, name := range names {
				path := filepath.Join(c.Dir, name)
				_, _ = fmt.Fprintf(std.Out, "%s: --tls-cert %s.crt --tls-key %s.key --tls-ca %s\n", name, path, path, filepath.Join(c.Dir, "ca.crt"))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Dir, "dir", "certs", "folder of the files; made if it is not there")
	f.StringSliceVar(&c.Hosts, "host", nil, "IP addresses and host names beside loopback, with commas")
	f.IntVar(&c.Days, "days", 365, fmt.Sprintf("how long the certificates hold, 1 to %d days", node.MaxCertDays))
	f.BoolVar(&c.Force, "force", false, "replace certificates that are there; the CA stays")
	f.BoolVar(&c.NewCA, "new-ca", false, "replace the CA, so that all certificates that it signed end")
	return cmd
}

// certsError says what to do about files that are there.
func certsError(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return exit{exitUsage, fmt.Errorf("%w; --force replaces it", err)}
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return err
	}
	return exit{exitUsage, err}
}
