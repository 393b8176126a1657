//go:build unix

package firestore_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// jarEnv names the jar of Google's emulator, if it is not where the Google Cloud CLI has it.
const jarEnv = "FIRESTORE_EMULATOR_JAR"

// usualJars are where packages of the Google Cloud CLI have the emulator.
var usualJars = []string{
	"/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
	"/usr/share/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
	"/snap/google-cloud-cli/current/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
}

// findJar returns the jar, or skips the test.
func findJar(t testing.TB) string {
	t.Helper()
	if jar := os.Getenv(jarEnv); jar != "" {
		if _, err := os.Stat(jar); err != nil {
			t.Fatalf("%s: %v", jarEnv, err)
		}
		return jar
	}
	for _, jar := range usualJars {
		if _, err := os.Stat(jar); err == nil {
			return jar
		}
	}
	t.Skipf("no emulator of Firestore: install google-cloud-cli-firestore-emulator, or set %s to its jar", jarEnv)
	return ""
}

// startEmulator runs Google's emulator on a free port of 127.0.0.1 until the test ends, and returns its address.
func startEmulator(t testing.TB) string {
	t.Helper()
	jar := findJar(t)
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skipf("the emulator of Firestore is there, but no java to run it: %v", err)
	}
	addr := storetest.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), java, "-Duser.language=en", "-cp", jar,
		"com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start", "--host=127.0.0.1", "--port="+port)
	var out bytes.Buffer // read after Wait only
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that whatever it starts ends with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("output of the emulator:\n%s", out.Bytes())
		}
	})
	c := config(addr, 0)
	c.CallTimeout = 45 * time.Second // a cold Java on a busy machine
	s := open(t, c)
	if err := s.Healthy(t.Context()); err != nil {
		t.Fatalf("the emulator does not start: %v", err)
	}
	_ = s.Close()
	return addr
}

// TestOnEmulator runs what other tests do on our own server against Google's idea of the protocol.
func TestOnEmulator(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a Java process and takes a while")
	}
	t.Parallel()
	addr := startEmulator(t)
	t.Run("conform", func(t *testing.T) {
		t.Parallel()
		conform(t, addr)
	})
	t.Run("largest roster", func(t *testing.T) {
		t.Parallel()
		largest(t, addr)
	})
	t.Run("watch of many groups", func(t *testing.T) {
		t.Parallel()
		manyGroups(t, addr)
	})
	t.Run("limit under contention", func(t *testing.T) {
		t.Parallel()
		crowd(t, addr, 10)
	})
}

// BenchmarkEmulator is BenchmarkStore on Google's emulator, which is a program for tests too.
func BenchmarkEmulator(b *testing.B) {
	addr := startEmulator(b)
	storetest.Benchmark(b, func(b *testing.B) storetest.Closer { return open(b, config(addr, 0)) })
}
