package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// toolTimeout bounds one call of ip or tc. They take milliseconds; the kernel may take a second to free
// a namespace before it answers.
const toolTimeout = 30 * time.Second

// batch gives lines to ip or tc (tool), which run them in the namespace ns, in order, up to the first
// that fails. No namespace is that of this process. It is one process for all lines.
func batch(ctx context.Context, tool, ns string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	args := []string{"-batch", "-"}
	if ns != "" {
		args = append([]string{"-n", ns}, args...)
	}
	_, err := run(ctx, strings.Join(lines, "\n")+"\n", tool, args...)
	var failed *toolError
	if errors.As(err, &failed) {
		failed.line = failedLine(failed.said, lines)
	}
	return err
}

// run runs one of the tools and returns what it printed.
func run(ctx context.Context, input, tool string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(ctx, toolTimeout)
	defer stop()
	cmd := exec.CommandContext(ctx, tool, args...) //nolint:gosec // ip or tc, with arguments of this package
	cmd.Stdin = strings.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", &toolError{tool: tool, line: strings.Join(args, " "), said: said.String(), err: err}
	}
	return out.String(), nil
}

// toolError is a call of ip or tc that failed.
type toolError struct {
	tool string
	line string // what it was to do
	said string // what it wrote to standard error
	err  error
}

func (e *toolError) Error() string {
	why := e.err.Error()
	for _, line := range strings.Split(strings.TrimSpace(e.said), "\n") {
		// The last lines of a batch only repeat its number, and warnings are no reason.
		if line != "" && !strings.HasPrefix(line, "Warning:") && !strings.HasPrefix(line, "Command failed") {
			why = strings.TrimPrefix(line, "Error: ")
			break
		}
	}
	return fmt.Sprintf("%s %s: %s", e.tool, e.line, why)
}

func (e *toolError) Unwrap() error { return e.err }

// failedLine is the line of a batch that the tool complained of: "Command failed -:3".
func failedLine(said string, lines []string) string {
	var n int
	if i := strings.LastIndex(said, "Command failed -:"); i >= 0 {
		if _, err := fmt.Sscanf(said[i:], "Command failed -:%d", &n); err == nil && n >= 1 && n <= len(lines) {
			return lines[n-1]
		}
	}
	return "-batch"
}
