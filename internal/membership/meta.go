package membership

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// idInName is how many bytes of the id are in memberlist's name of a node.
const idInName = 8

// nodeName is memberlist's name of a node: another one for each incarnation, since memberlist refuses a
// name that comes back at another address.
func nodeName(name, id string) string { return name + "~" + id[:idInName] }

// encodeMeta is what a node tells about itself; too long an announcement would make memberlist panic.
func encodeMeta(m app.Member) ([]byte, error) {
	if len(m.Apps) > maxApps {
		return nil, fmt.Errorf("announcement of %d applications: %d is the most: %w", len(m.Apps), maxApps, ErrTooLarge)
	}
	b, err := proto.Marshal(&membershipv1.Meta{
		Id: m.ID, Name: m.Name, RpcAddr: m.RPCAddr, JoinedAt: m.JoinedAt.UnixNano(), Apps: m.Apps,
	})
	if err != nil {
		return nil, fmt.Errorf("encode announcement: %w", err)
	}
	if len(b) > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("announcement of %d bytes (name, address, applications): %d is the most: %w",
			len(b), memberlist.MetaMaxSize, ErrTooLarge)
	}
	return b, nil
}

// decodeMeta is the member that memberlist's node is, alive. What other nodes sent is checked here.
func decodeMeta(n *memberlist.Node) (app.Member, error) {
	var meta membershipv1.Meta
	if err := proto.Unmarshal(n.Meta, &meta); err != nil {
		return app.Member{}, err
	}
	m := app.Member{
		ID: meta.GetId(), Name: meta.GetName(), Addr: n.Address(), RPCAddr: meta.GetRpcAddr(),
		State: app.Alive, JoinedAt: time.Unix(0, meta.GetJoinedAt()), Apps: meta.GetApps(),
	}
	return m, checkMember(m, n.Name)
}

func checkMember(m app.Member, node string) error {
	if err := checkText("name", m.Name, maxName); err != nil {
		return err
	}
	if err := checkText("id", m.ID, maxID); err != nil {
		return err
	}
	if len(m.ID) < idInName || nodeName(m.Name, m.ID) != node {
		return errors.New("name and id do not fit the node's name")
	}
	if m.RPCAddr != "" {
		if err := checkText("address", m.RPCAddr, 261); err != nil { // a DNS name has at most 253 bytes
			return err
		}
	}
	if len(m.Apps) > maxApps {
		return fmt.Errorf("%d applications", len(m.Apps))
	}
	for _, a := range m.Apps {
		if err := checkText("application", a, maxName); err != nil {
			return err
		}
	}
	_, err := netip.ParseAddrPort(m.Addr)
	return err
}
