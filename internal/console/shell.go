package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"peerlab.example/peerlab/app"
)

// shellGrace is how long what a shell started may keep its output open after the shell itself has ended.
const shellGrace = time.Second

// errShellOff is the answer to callers elsewhere, unless the operator allowed it.
var errShellOff = errors.New("shell is off for callers elsewhere, since it runs whatever they like as the user of this peer; " +
	"peerlab peer --allow-shell turns it on")

func (b *Builtins) shell() app.Spec {
	return app.Spec{
		Name: "shell", Group: "script",
		Summary: "run a shell script, or a command of the shell, where the peer runs",
		Detail: "What follows is given to sh exactly as typed, with the variables of the console in its environment.\n" +
			"It fails when the shell ends with another code than 0, which is said. From consoles elsewhere and in\n" +
			"suites it works only if the peer was started with --allow-shell.",
		Example: "shell --timeout 5s ./prepare.sh left | tail -1",
		Params:  []app.Param{{Name: "script", Kind: app.Raw}},
		Flags:   []app.Flag{{Name: "timeout", Kind: app.Duration, Default: "1m", Summary: "end it after this time; 0 means never"}},
		Run: func(ctx context.Context, env *app.Env, args app.Args) (any, error) {
			if b.NoShell != "" {
				return nil, errors.New("there is no shell here: " + b.NoShell)
			}
			if env.Remote && !b.AllowShell {
				return nil, errShellOff
			}
			return nil, runShell(ctx, env, args.String("script"), args.Duration("timeout"))
		},
	}
}

// runShell shows what the script writes as it comes.
func runShell(ctx context.Context, env *app.Env, script string, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("shell: it took longer than %v, and was ended", timeout))
		defer cancel()
	}
	cmd := shellCommand(ctx, script)
	ownGroup(cmd)
	cmd.Env = os.Environ()
	out := newLineWriter(func(p piece) { _, _ = io.WriteString(env.Out, p.cleaned().String()) })
	cmd.Stdout, cmd.Stderr = out, out
	if f, err := frameOf(ctx); err == nil {
		cmd.Env = f.session.environment()
	}
	err := cmd.Run()
	out.Flush()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended; something that it left in the background still holds its output
	}
	return shellError(ctx, "shell", err)
}
