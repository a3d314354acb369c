package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Cluster is a Redis Cluster of three nodes that store keys. One of them stores the
// leaves, and has a replica. If this node has not answered for a second, the replica
// takes over.
type Cluster struct {
	// Holder is the node that stores the leaves. Replica is the replica of Holder.
	Holder, Replica *Server
	Others          [2]*Server
}

const (
	slots = 16384
	// leavesSlot is the hash slot of all keys that have {leave} in their names.
	leavesSlot = 1479
)

// StartThree starts a Cluster: three nodes that store keys, and one replica. Each
// redis-server gets args in addition to the usual arguments.
func StartThree(t testing.TB, args ...string) *Cluster {
	t.Helper()
	args = append([]string{"--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1",
		"--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"}, args...)
	var nodes []*Server
	for range 4 {
		port := freePorts(t)
		nodes = append(nodes, startAt(t, port, append([]string{"--cluster-port", strconv.Itoa(port + 1)}, args...)...))
	}
	c := &Cluster{Holder: nodes[0], Others: [2]*Server(nodes[1:3]), Replica: nodes[3]}
	for i, node := range nodes[:3] {
		from, to := slots*i/3, slots*(i+1)/3-1
		node.Do(t, func(ctx context.Context, client *redis.Client) error {
			return client.ClusterAddSlotsRange(ctx, from, to).Err()
		})
	}
	for i, node := range nodes {
		node.Do(t, func(ctx context.Context, client *redis.Client) error {
			return client.Do(ctx, "cluster", "set-config-epoch", i+1).Err()
		})
	}
	meet(t, nodes)
	id := c.Holder.id(t)
	c.Replica.Do(t, func(ctx context.Context, client *redis.Client) error { return client.ClusterReplicate(ctx, id).Err() })
	c.Replica.wait(t, said("master_link_status:up"))
	c.await(t, nodes, func(info string) bool { return strings.Contains(info, "cluster_state:ok") })
	c.Holder.Do(t, func(ctx context.Context, client *redis.Client) error {
		slot, err := client.ClusterKeySlot(ctx, "{leave}").Result()
		if err == nil && slot != leavesSlot {
			err = fmt.Errorf("the keys of the leaves are in the slot %d, want %d", slot, leavesSlot)
		}
		return err
	})
	return c
}

// meet makes the first node meet the other nodes, and waits until all nodes know each
// other. It repeats this if necessary, because on a busy machine a handshake can take
// longer than the second that Redis allows.
func meet(t testing.TB, nodes []*Server) {
	t.Helper()
	nodes[0].wait(t, func(ctx context.Context, client *redis.Client) error {
		known, err := client.ClusterNodes(ctx).Result()
		if err != nil || acquainted(known) {
			return err
		}
		err = errors.New(known)
		for _, node := range nodes[1:] {
			host, port, _ := net.SplitHostPort(node.Addr)
			bus, _ := strconv.Atoi(port)
			if !strings.Contains(known, node.Addr) {
				err = errors.Join(err, client.Do(ctx, "cluster", "meet", host, port, bus+1).Err())
			}
		}
		return err
	})
	for _, node := range nodes[1:] {
		node.wait(t, func(ctx context.Context, client *redis.Client) error {
			known, err := client.ClusterNodes(ctx).Result()
			if err == nil && !acquainted(known) {
				err = errors.New(known)
			}
			return err
		})
	}
}

// acquainted reports whether all four nodes know each other. The argument known is an
// answer to CLUSTER NODES. It must name all nodes and show no running handshake.
func acquainted(known string) bool {
	return strings.Count(known, "\n") == 4 && !strings.Contains(known, "handshake")
}

func (c *Cluster) await(t testing.TB, nodes []*Server, ready func(info string) bool) {
	t.Helper()
	for _, node := range nodes {
		node.wait(t, func(ctx context.Context, client *redis.Client) error {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && !ready(info) {
				err = errors.New(info)
			}
			return err
		})
	}
}

func (s *Server) id(t testing.TB) (id string) {
	t.Helper()
	s.Do(t, func(ctx context.Context, c *redis.Client) (err error) {
		id, err = c.Do(ctx, "cluster", "myid").Text()
		return err
	})
	return id
}

// URL returns a URL that names all nodes. The Holder comes last.
func (c *Cluster) URL() string {
	return fmt.Sprintf("redis://%s?cluster=true&addr=%s&addr=%s", c.Others[0].Addr, c.Others[1].Addr, c.Holder.Addr)
}

// AwaitPromoted waits until the replica has taken over from the Holder.
func (c *Cluster) AwaitPromoted(t testing.TB) {
	t.Helper()
	c.Replica.wait(t, said("role:master"))
	c.await(t, append([]*Server{c.Replica}, c.Others[:]...), func(info string) bool { return strings.Contains(info, "cluster_state:ok") })
}

// MoveLeaves moves the leaves to another node, as redis-cli does. It first announces
// the move to each node. Then it moves the keys, one after another.
func (c *Cluster) MoveLeaves(t testing.TB) {
	t.Helper()
	from, to := c.Holder, c.Others[0]
	fromID, toID := from.id(t), to.id(t)
	host, port, _ := net.SplitHostPort(to.Addr)
	to.Do(t, func(ctx context.Context, client *redis.Client) error {
		return client.Do(ctx, "cluster", "setslot", leavesSlot, "importing", fromID).Err()
	})
	from.Do(t, func(ctx context.Context, client *redis.Client) error {
		if err := client.Do(ctx, "cluster", "setslot", leavesSlot, "migrating", toID).Err(); err != nil {
			return err
		}
		for {
			keys, err := client.ClusterGetKeysInSlot(ctx, leavesSlot, 1).Result()
			if err != nil || len(keys) == 0 {
				return err
			}
			if err := client.Do(ctx, "migrate", host, port, keys[0], 0, 5000).Err(); err != nil {
				return err
			}
		}
	})
	for _, node := range []*Server{to, from, c.Others[1]} {
		node.Do(t, func(ctx context.Context, client *redis.Client) error {
			return client.Do(ctx, "cluster", "setslot", leavesSlot, "node", toID).Err()
		})
	}
}
