package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/config"
)

// settings are the fields of a role, with what flags, environment and file say of them.
type settings struct {
	table  *config.Table
	given  []config.Given // in the order of the command line
	wrong  []error        // flags that are no Given
	file   string         // of --config
	values config.Values  // after resolve
}

// newTable is config.New for tables that are written here: what is wrong with one is a mistake of the programmer.
func newTable(role string, fields []config.Field, check func(func(string) string) []config.Trouble) *config.Table {
	table, err := config.New(role, fields, check)
	if err != nil {
		panic(err)
	}
	return table
}

// addSettings gives a command a flag for each field, and reads all sources before it runs; fill gets
// the values then.
func addSettings(cmd *cobra.Command, table *config.Table, fill func(config.Values) error) *settings {
	s := &settings{table: table}
	for _, f := range table.Fields() {
		flag := cmd.Flags().VarPF(&settingFlag{settings: s, field: f}, f.Key, "", f.Usage())
		flag.Hidden = f.Hidden
		if f.Kind == app.Bool {
			flag.NoOptDefVal = "true"
		}
		if f.Kind != app.File && f.Kind != app.Text {
			// The flag was made above, which is the only thing that can be wrong.
			_ = cmd.RegisterFlagCompletionFunc(f.Key, cobra.FixedCompletions(f.Values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		err := s.resolve(os.Environ())
		if err == nil {
			err = fill(s.values)
		}
		if err != nil {
			return exit{exitUsage, err}
		}
		return nil
	}
	return s
}

// addFile gives the command the flag --config.
func (s *settings) addFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "config", os.Getenv(config.ConfigEnv),
		"file with settings, which the environment (PEERLAB_NAME for --name) and flags change")
	cmd.Flags().Lookup("config").DefValue = "" // help is the same everywhere
}

// resolve reads all sources, and tells of all that is wrong with them.
func (s *settings) resolve(environ []string) error {
	var file config.Said
	var errs []error
	if s.file != "" {
		var err error
		file, err = s.table.Load(s.file)
		errs = append(errs, err)
	}
	environment, err := s.table.FromEnvironment(environ)
	errs = append(errs, err)
	flags, err := s.table.FromFlags(s.given)
	errs = append(append(errs, err), s.wrong...)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.values, err = s.table.Resolve(file, environment, flags)
	return err
}

// withoutSettings is an environment without what configures this role: for processes that get all by flags.
func withoutSettings(environ []string) []string {
	var out []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, config.EnvPrefix) {
			out = append(out, variable)
		}
	}
	return out
}

// settingFlag is the flag of a field. What it is given is checked with all other sources.
type settingFlag struct {
	settings *settings
	field    config.Field
}

// String is the default, which is what the command line shows.
func (f *settingFlag) String() string {
	switch {
	case f.settings == nil: // a zero value, which the flags library makes to compare with
		return ""
	case f.field.DefaultDoc != "":
		return f.field.DefaultDoc
	}
	return f.field.Default
}

// Set takes what the command line has.
func (f *settingFlag) Set(text string) error {
	f.settings.given = append(f.settings.given, config.Given{Key: f.field.Key, Text: text})
	return nil
}

// Type is shown in the help.
func (f *settingFlag) Type() string {
	switch f.field.Kind {
	case app.Bool, app.Int, app.Duration:
		return string(f.field.Kind)
	default:
		return "string"
	}
}
