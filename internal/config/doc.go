// Package config is the one table of what can be configured of a role, and all that is read from it: the flags
// of the command line, the names of environment variables, the keys of a file, the commands "config show, set, save, load",
// their completion, and docs/configuration.md.
//
// A field has a key, such as log-level. The same name is the flag --log-level, the variable PEERLAB_LOG_LEVEL and the key
// of the file:
//
//	version: 1
//	log-level: debug
//
// What is said by a flag goes above the environment, that above the file, and that above the default. Nothing is
// guessed: an unknown key, a wrong value or a second one is a problem with its place, and all problems are told at once.
//
// The layers are merged here, and not by a library such as koanf, because of each value the place must be known, down to
// line and column.
//
// Values are what has been said, and by whom. Runtime lets fields change while the role runs; how that is done is
// given to it as Targets, so that this package knows no role.
package config
