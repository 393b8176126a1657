package lab

import (
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/node"
)

// CommonFields are the settings that every role has: its log and its security. level is the role's default of the log,
// components are what its log has, and operators is whether the role knows operators.
func CommonFields(level string, operators bool, components ...string) []config.Field {
	text := func(key, summary string) config.Field {
		return config.Field{Key: key, Kind: app.File, Summary: summary, Live: config.AtStart, Group: "security"}
	}
	fields := []config.Field{
		{
			Key: "log-level", Kind: app.Enum, Values: node.LogLevels, Default: level, Live: config.Always, Group: "log",
			Summary: "lowest level of the log on standard error",
		},
		{
			Key: "log-format", Kind: app.Enum, Values: node.LogFormats, Default: "auto", Live: config.AtStart, Group: "log",
			Summary: "how lines of the log are written; auto is console on a terminal, else json",
		},
		{Key: "log-file", Kind: app.File, Live: config.Always, Group: "log", Summary: "append the log to this file too"},
	}
	if len(components) > 0 {
		fields = append(fields, config.Field{
			Key: "log-components", Kind: config.Levels, Names: components, Values: node.LogLevels, Live: config.Always, Group: "log",
			Summary: "levels of single components, such as " + components[0] + "=debug; there are " + strings.Join(components, ", "),
		})
	}
	fields = append(fields,
		text("token-file", "file with the secret of the lab: calls carry it, and gossip is encrypted with a key derived from it"))
	if operators {
		fields = append(fields,
			text("operator-token-file", "file with the secret of operators, who alone may reset a roster or change its configuration when there is a token"))
	}
	return append(fields,
		text("tls-cert", "PEM certificate of this node's gRPC server"),
		text("tls-key", "PEM key of the certificate"),
		text("tls-ca", "PEM certificates to verify others with; with it, servers demand client certificates"),
		text("tls-ca-key", "PEM key of the first of these: a node that has no certificate makes one for itself"),
		config.Field{
			Key: "insecure", Kind: app.Bool, Default: "false", Live: config.AtStart, Group: "security",
			Summary: "allow to bind addresses that other machines can reach without TLS and token",
		},
	)
}

// LookFields are the settings of all that has a console.
func LookFields() []config.Field {
	return []config.Field{
		{
			Key: "output", Kind: app.Enum, Values: command.Formats(), Default: string(command.FormatTable), Live: config.Always, Group: "console",
			Summary: "how results are written",
		},
		{
			Key: "color", Kind: app.Enum, Values: []string{"auto", "always", "never"}, Default: "auto", Live: config.AtStart, Group: "console",
			Summary: "whether to use colours; auto is on a terminal, unless NO_COLOR is set",
		},
		{
			Key: "keep-going", Kind: app.Bool, Default: "false", Live: config.AtStart, Group: "console",
			Summary: "in scripts, go on after a command that failed",
		},
	}
}
