package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// etcdMember is what the tests of the store on etcd, built as a program, make an etcd of; see their server_test.go.
type etcdMember struct{ Name, Dir, Peer, Client, Cluster string }

// etcdServer is the etcd of a script.
type etcdServer struct {
	program string
	member  etcdMember
	end     func() // kills it, and waits
}

type etcdKey struct{}

// buildEtcd builds the program that is an etcd; the build cache makes that quick.
func buildEtcd(dir string) (string, error) {
	path := filepath.Join(dir, "etcd.test")
	cmd := exec.Command("go", "test", "-c", "-o", path, "./internal/bootstrap/store/etcd")
	cmd.Dir = repository()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build etcd: %w\n%s", err, out)
	}
	return path, nil
}

// describe makes it an etcd of one member whose data is in a folder.
func (e *etcdServer) describe(t *testing.T, dir string) {
	e.member = etcdMember{Name: "m0", Dir: dir, Peer: storetest.FreeAddr(t), Client: storetest.FreeAddr(t)}
	e.member.Cluster = e.member.Name + "=http://" + e.member.Peer
}

// start runs it until the script ends, and returns when it is ready.
func (e *etcdServer) start(ts *testscript.TestScript) {
	text, err := json.Marshal(e.member)
	ts.Check(err)
	cmd := exec.Command(e.program)
	cmd.Env = append(os.Environ(), "PEERLAB_TEST_ETCD_MEMBER="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // it ends with this process, which holds it
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	e.end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		_ = in.Close()
	})
	ts.Defer(e.end)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		ts.Fatalf("etcd does not start: %v", err)
	}
	ts.Setenv("ETCD", e.member.Client)
}

// etcd is the command of scripts that runs a real etcd:
//
//	etcd start   start it, or start it again with what it had; $ETCD becomes its host:port
//	etcd kill    end it with SIGKILL
func etcd(t *testing.T, build func() (string, error)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 {
			ts.Fatalf("usage: etcd start|kill")
		}
		e := ts.Value(etcdKey{}).(*etcdServer)
		switch args[0] {
		case "start":
			if e.program == "" {
				var err error
				e.program, err = build()
				ts.Check(err)
				e.describe(t, ts.MkAbs("etcd"))
			}
			e.start(ts)
		case "kill":
			e.end()
		default:
			ts.Fatalf("etcd %s: no such thing", args[0])
		}
	}
}
