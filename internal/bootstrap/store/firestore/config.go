package firestore

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap"
)

// Defaults of a Config.
const (
	DefaultDatabase    = "(default)" // what Firestore calls the first database of a project
	DefaultCallTimeout = 5 * time.Second
)

// Config of a Store. Project and Collection are needed; for all else the zero value is usable.
type Config struct {
	// Project is the ID of the Google Cloud project.
	Project string
	// Collection is where all documents of the store are. It is for the store alone.
	Collection string
	// Database of the project; "" means DefaultDatabase.
	Database string
	// MaxGroups is the limit of groups; 0 means bootstrap.DefaultMaxGroups.
	MaxGroups int
	// Endpoint is the host:port of an emulator or of a server of one's own, without encryption and without
	// credentials. "" means Google, with the default credentials of the machine. The store never reads
	// FIRESTORE_EMULATOR_HOST: who wants it passes it on here.
	Endpoint string
	// CallTimeout is how long a call waits for Firestore, all tries together; 0 means DefaultCallTimeout.
	CallTimeout time.Duration
	// Log tells when Firestore stops to answer and when it answers again.
	Log zerolog.Logger
}

// form is what Parse accepts, for its errors.
const form = "firestore://PROJECT/COLLECTION[?database=NAME]"

// Parse reads the form firestore://project/collection, with ?database=name for another database than
// the default one.
func Parse(spec string) (Config, error) {
	rest, ok := strings.CutPrefix(spec, "firestore://")
	if !ok {
		return Config{}, errors.New("firestore store: the address must begin with firestore://, as in " + form)
	}
	rest, query, _ := strings.Cut(rest, "?")
	project, collection, _ := strings.Cut(rest, "/")
	c := Config{Project: project, Collection: strings.TrimSuffix(collection, "/")}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Config{}, fmt.Errorf("firestore store: after the ? in %q: %w", spec, err)
	}
	for key, value := range values {
		if key != "database" || len(value) != 1 {
			return Config{}, fmt.Errorf("firestore store: only one database= may follow the ?, not %q: give %s", key, form)
		}
		c.Database = value[0]
	}
	if _, err := c.complete(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// What Google allows as IDs: https://cloud.google.com/resource-manager/docs/creating-managing-projects
// (older projects have a domain before a colon) and https://cloud.google.com/firestore/docs/manage-databases.
var (
	projectID  = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	databaseID = regexp.MustCompile(`^(\(default\)|[a-z0-9-]{4,63})$`)
)

// maxCollection bounds the ID of a collection, in bytes. Firestore allows 1,500, of which nobody needs
// so many, and which count in the size of each document.
const maxCollection = 256

// complete returns the configuration with its defaults, or what is wrong with it.
func (c Config) complete() (Config, error) {
	c.Database = cmp.Or(c.Database, DefaultDatabase)
	c.MaxGroups = cmp.Or(c.MaxGroups, bootstrap.DefaultMaxGroups)
	c.CallTimeout = cmp.Or(c.CallTimeout, DefaultCallTimeout)
	switch {
	case c.Project == "":
		return c, errors.New("firestore store: the project is missing: give " + form)
	case !projectID.MatchString(c.Project):
		return c, fmt.Errorf("firestore store: %q is no project ID: 6 to 30 of a-z 0-9 -, a letter first", c.Project)
	case c.Collection == "":
		return c, errors.New("firestore store: the collection is missing: give " + form)
	case !validCollection(c.Collection):
		return c, fmt.Errorf("firestore store: %q is no ID of a top-level collection: 1 to %d bytes without /, not . or .. or __any__",
			c.Collection, maxCollection)
	case !databaseID.MatchString(c.Database):
		return c, fmt.Errorf("firestore store: %q is no database ID: (default), or 4 to 63 of a-z 0-9 -", c.Database)
	case c.MaxGroups < 1:
		return c, fmt.Errorf("firestore store: the limit of groups must be positive, not %d", c.MaxGroups)
	case c.CallTimeout < 0:
		return c, fmt.Errorf("firestore store: the timeout of a call must be positive, not %v", c.CallTimeout)
	}
	return c, c.checkEndpoint()
}

func validCollection(id string) bool {
	switch {
	case id == "." || id == "..", len(id) > maxCollection, strings.Contains(id, "/"):
		return false
	case len(id) >= 4 && strings.HasPrefix(id, "__") && strings.HasSuffix(id, "__"):
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

func (c Config) checkEndpoint() error {
	if c.Endpoint == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Endpoint)
	if err != nil || strings.Contains(host, "/") || strings.Contains(port, "/") {
		return fmt.Errorf("firestore store: the endpoint %q must be host:port", c.Endpoint)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("firestore store: the port of the endpoint %q must be 1 to 65535", c.Endpoint)
	}
	return nil
}

// database is the name of the database, below which all documents are.
func (c Config) database() string {
	return "projects/" + c.Project + "/databases/" + c.Database
}
