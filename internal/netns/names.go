package netns

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// A namespace is called peerlab-PID-START-LAB, the hub, or peerlab-PID-START-LAB-PEER: PID and START
// (ticks, base 36) are those of the process whose lab it is, LAB tells several labs of one process apart.
var ours = regexp.MustCompile(`^peerlab-([0-9]{1,10})-([0-9a-z]{1,13})-[0-9a-f]{8}(-|$)`)

// newHubName is the name of the hub of a new lab of this process.
func newHubName() (string, error) {
	start, err := startOf(os.Getpid())
	if err != nil {
		return "", err
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return fmt.Sprintf("peerlab-%d-%s-%s", os.Getpid(), strconv.FormatUint(start, 36), hex.EncodeToString(b[:])), nil
}

// abandoned reports whether a namespace is of a lab whose process is no more, be its number given to
// another by now. When in doubt it is not: others' namespaces are never touched.
func abandoned(ns string, startOf func(pid int) (uint64, error)) bool {
	m := ours.FindStringSubmatch(ns)
	if m == nil {
		return false
	}
	pid, err1 := strconv.Atoi(m[1])
	was, err2 := strconv.ParseUint(m[2], 36, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	start, err := startOf(pid)
	return errors.Is(err, fs.ErrNotExist) || err == nil && start != was
}

// Sweep removes the namespaces that runs left behind which were killed, and returns their names. Start
// does it, too.
func Sweep(ctx context.Context) ([]string, error) {
	out, err := run(ctx, "", "ip", "netns", "list")
	if err != nil {
		return nil, err
	}
	var dead []string
	for _, line := range strings.Split(out, "\n") {
		if ns, _, _ := strings.Cut(line, " "); abandoned(ns, startOf) {
			dead = append(dead, ns)
		}
	}
	return dead, remove(ctx, dead)
}

// remove removes namespaces by name. One that another process has removed already is no error.
func remove(ctx context.Context, names []string) error {
	var errs []error
	for _, ns := range names {
		_, err := run(ctx, "", "ip", "netns", "delete", ns)
		if err != nil && !strings.Contains(err.Error(), "No such file or directory") {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
