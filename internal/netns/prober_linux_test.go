package netns

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// proberMode is the variable that makes the test binary a program to be run in a namespace.
const proberMode = "PEERLAB_NETNS_PROBER"

// prober is that program.
func prober(mode string, args []string) int {
	var err error
	switch mode {
	case "echo":
		err = echo(args[0])
	case "hold":
		err = hold()
	default:
		err = fmt.Errorf("no such mode: %s", mode)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// echo answers each datagram and each connection at an address with what it got, until it is killed.
func echo(addr string) error {
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = bufio.NewReader(c).WriteTo(c)
			}()
		}
	}()
	fmt.Println("ready")
	b := make([]byte, 64<<10)
	for {
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			return err
		}
		_, _ = pc.WriteTo(b[:n], from)
	}
}

// startEcho runs echo in the namespace of a peer, on a port.
func startEcho(t *testing.T, l *Lab, name string, port int) string {
	t.Helper()
	addr := fmt.Sprintf("%s:%d", l.Addr(name), port)
	cmd := exec.Command(os.Args[0], addr)
	cmd.Env = append(os.Environ(), proberMode+"=echo")
	cmd, err := l.Command(name, cmd)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("echo in %s: %q, %v", name, line, err)
	}
	return addr
}

// dialEcho is a way from a peer's namespace to an echo, as datagrams.
func dialEcho(t *testing.T, l *Lab, from, to string) net.Conn {
	t.Helper()
	var conn net.Conn
	err := inside(l.Namespace(from), func() (err error) {
		conn, err = net.Dial("udp", to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// comesBack counts how many of 40 datagrams came back.
func comesBack(t *testing.T, l *Lab, from, to string) int {
	t.Helper()
	return measure(t, dialEcho(t, l, from, to), 40, time.Millisecond, 300*time.Millisecond).back
}
