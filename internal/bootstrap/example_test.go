package bootstrap_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func ExampleService() {
	svc := bootstrap.NewService(memory.New(0), bootstrap.Options{})
	svc.Start()
	defer func() { _ = svc.Close() }()

	for i, name := range []string{"alice", "bob", "carol"} {
		resp, err := svc.Join(context.Background(), &bootstrapv1.JoinRequest{Peer: &bootstrapv1.Peer{
			Id: uuid.NewString(), Name: name, Host: "127.0.0.1", Port: uint32(7946 + i), Protocol: "memberlist",
		}})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, "held:", resp.GetHeld(), "peers to contact:", resp.GetRoster().GetCount())
	}
	// Output:
	// alice held: true peers to contact: 1
	// bob held: true peers to contact: 2
	// carol held: false peers to contact: 2
}
