package etcd

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap"
)

// Defaults of a Config.
const (
	DefaultPrefix      = "peerlab"
	DefaultCallTimeout = 3 * time.Second
)

// maxPrefix bounds the prefix, in bytes.
const maxPrefix = 256

// Config of a Store. Endpoints are needed; for all else the zero value is usable.
type Config struct {
	// Endpoints are members of the cluster, host:port each. Give all, so that the loss of one does not matter.
	Endpoints []string
	// Prefix is what all keys begin with, without a slash at either end; "" means DefaultPrefix.
	Prefix string
	// MaxGroups is the limit of groups; 0 means bootstrap.DefaultMaxGroups.
	MaxGroups int
	// TLS encrypts the connections, and proves who we are if it has a certificate; nil for no encryption.
	TLS *tls.Config
	// Username and Password are for a cluster with authentication; both or none. The user needs to read and
	// write all keys with the prefix.
	Username, Password string
	// CallTimeout is how long a call waits for etcd, all tries together; 0 means DefaultCallTimeout. One try, on
	// one member, has a third of it.
	CallTimeout time.Duration
	// Log tells when etcd stops to answer and when it answers again.
	Log zerolog.Logger
}

// form is what Parse accepts, for its errors.
const form = "etcd://[user:password@]host:port[,host:port...][/prefix]"

// Parse reads the form etcd://[user:password@]host:port[,host:port...][/prefix]. Special characters in user and
// password are written as in any URL, %40 for @. Its errors never show the password.
func Parse(spec string) (Config, error) {
	var c Config
	rest, ok := strings.CutPrefix(spec, "etcd://")
	if !ok {
		return c, errors.New("etcd store: the address must begin with etcd://, as in " + form)
	}
	authority, prefix, _ := strings.Cut(rest, "/")
	if strings.Contains(prefix, "@") {
		// What comes before it may be a password, so it is not shown.
		return c, errors.New("etcd store: a / in user or password must be written %2F, and a prefix has no @")
	}
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		var err error
		if c.Username, c.Password, err = parseUser(authority[:at]); err != nil {
			return Config{}, fmt.Errorf("etcd store: %w", err)
		}
		authority = authority[at+1:]
	}
	c.Endpoints = strings.Split(authority, ",")
	c.Prefix = strings.TrimSuffix(prefix, "/")
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func parseUser(s string) (user, password string, err error) {
	user, password, ok := strings.Cut(s, ":")
	if !ok || user == "" || password == "" {
		return "", "", errors.New("before the @ there must be user:password")
	}
	user, err = url.PathUnescape(user)
	if err == nil {
		password, err = url.PathUnescape(password)
	}
	if err != nil {
		// The error of PathUnescape quotes what may be the password.
		return "", "", errors.New("user or password has a % that is not followed by two hexadecimal digits: write %25 for %")
	}
	return user, password, nil
}

// Validate returns all that is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("etcd store: "+format, args...)) }
	if len(c.Endpoints) == 0 {
		wrong("there must be an endpoint, host:port")
	}
	for _, endpoint := range c.Endpoints {
		if problem := checkEndpoint(endpoint); problem != "" {
			wrong("endpoint %q %s", endpoint, problem)
		}
	}
	if problem := checkPrefix(c.Prefix); problem != "" {
		wrong("prefix %q %s", c.Prefix, problem)
	}
	if c.MaxGroups < 0 {
		wrong("the limit of groups must not be negative, as %d is", c.MaxGroups)
	}
	if c.CallTimeout < 0 {
		wrong("the timeout of calls must not be negative, as %v is", c.CallTimeout)
	}
	if (c.Username == "") != (c.Password == "") {
		wrong("user and password go together: set both or none")
	}
	return errors.Join(errs...)
}

func checkEndpoint(endpoint string) string {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil || host == "" {
		return "must be host:port, as in 127.0.0.1:2379"
	}
	if strings.ContainsAny(host, " /@?#%") {
		return "has a host with a character that no host has"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "must have a port of 1 to 65535"
	}
	return ""
}

func checkPrefix(prefix string) string {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r))
	}
	elements := strings.Split(prefix, "/")
	switch {
	case prefix == "":
		return ""
	case len(prefix) > maxPrefix:
		return fmt.Sprintf("must have at most %d characters", maxPrefix)
	case strings.ContainsFunc(prefix, bad):
		return "must have only the characters a-z A-Z 0-9 . _ - and /"
	case slices.Contains(elements, ""):
		return "must not begin or end with a slash, or have two in a row"
	}
	for _, element := range []string{groupsElement, emptyElement, turnsElement} {
		if slices.Contains(elements, element) {
			// Keys of this store would look like those of a store whose prefix ends before the element.
			return fmt.Sprintf("must not have an element %q", element)
		}
	}
	return ""
}

// withDefaults is c with the defaults for what is not set.
func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, DefaultPrefix)
	c.MaxGroups = cmp.Or(c.MaxGroups, bootstrap.DefaultMaxGroups)
	c.CallTimeout = cmp.Or(c.CallTimeout, DefaultCallTimeout)
	return c
}

// String is the address of the store as Parse reads it, without user and password.
func (c Config) String() string {
	return "etcd://" + strings.Join(c.Endpoints, ",") + "/" + cmp.Or(c.Prefix, DefaultPrefix)
}
