package network

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// sinkNetwork takes all and does nothing, so that only the cost of what is around it shows.
type sinkNetwork struct{}

func (sinkNetwork) ListenPacket(context.Context, string) (net.PacketConn, error) { return sink{}, nil }
func (sinkNetwork) Listen(context.Context, Channel, string) (net.Listener, error) {
	return nil, net.ErrClosed
}
func (sinkNetwork) Dial(context.Context, Channel, string) (net.Conn, error) { return sink{}, nil }

// sink is a socket and a connection.
type sink struct{}

func (sink) ReadFrom(b []byte) (int, net.Addr, error)  { return len(b), nil, nil }
func (sink) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }
func (sink) Read(b []byte) (int, error)                { return len(b), nil }
func (sink) Write(b []byte) (int, error)               { return len(b), nil }
func (sink) Close() error                              { return nil }
func (sink) LocalAddr() net.Addr                       { return nil }
func (sink) RemoteAddr() net.Addr                      { return nil }
func (sink) SetDeadline(time.Time) error               { return nil }
func (sink) SetReadDeadline(time.Time) error           { return nil }
func (sink) SetWriteDeadline(time.Time) error          { return nil }

// BenchmarkStreamWithoutRules is BenchmarkPacketWithoutRules for a connection.
func BenchmarkStreamWithoutRules(b *testing.B) {
	for _, c := range []struct {
		name string
		n    Network
	}{{"inner", sinkNetwork{}}, {"faults", NewFaults(sinkNetwork{}, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			conn, err := c.n.Dial(b.Context(), RPC, bob+":1")
			if err != nil {
				b.Fatal(err)
			}
			msg := make([]byte, 1000)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = conn.Write(msg)
			}
		})
	}
}

// BenchmarkLoopbackPacket sends over a real socket.
func BenchmarkLoopbackPacket(b *testing.B) {
	for _, c := range []struct {
		name string
		n    Network
	}{{"inner", System()}, {"faults", NewFaults(System(), 1)}} {
		b.Run(c.name, func(b *testing.B) {
			from, err := c.n.ListenPacket(b.Context(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer from.Close()
			msg := make([]byte, 1000)
			for b.Loop() {
				_, _ = from.WriteTo(msg, from.LocalAddr())
			}
		})
	}
}

// BenchmarkLoopbackStream sends over a real connection.
func BenchmarkLoopbackStream(b *testing.B) {
	for _, c := range []struct {
		name string
		n    Network
	}{{"inner", System()}, {"faults", NewFaults(System(), 1)}} {
		b.Run(c.name, func(b *testing.B) {
			ln, err := c.n.Listen(b.Context(), RPC, "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			conn, err := c.n.Dial(b.Context(), RPC, ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			far, err := ln.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer far.Close()
			defer conn.Close()
			msg := make([]byte, 1000)
			for b.Loop() { // there and back
				if _, err := far.Write(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, msg); err != nil {
					b.Fatal(err)
				}
				if _, err := conn.Write(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(far, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
