package stack

import (
	"fmt"
	"strings"
)

// assembleRedis prepares the Redis of the services, and the Redis of LiveKit's nodes.
func (s *Stack) assembleRedis() error {
	if s.Replicas > 1 {
		s.Redis = &Redis{Host: s.Host, Program: s.Tools.Redis}
	}
	switch {
	case s.Nodes > 1 && s.OneRedis:
		s.LiveKitRedis = s.Redis
	case s.Nodes > 1:
		s.LiveKitRedis = &Redis{Host: s.Host, Program: s.Tools.Redis, Name: "livekit-redis"}
	}
	for _, redis := range s.redises() {
		if _, err := redis.Address(); err != nil {
			return err
		}
	}
	return nil
}

// redises returns the Redis servers of the stack. The result contains each server once.
func (s *Stack) redises() (all []*Redis) {
	if s.Redis != nil {
		all = append(all, s.Redis)
	}
	if s.LiveKitRedis != nil && s.LiveKitRedis != s.Redis {
		all = append(all, s.LiveKitRedis)
	}
	return all
}

// assembleNodes prepares the SFU, or the nodes of a LiveKit cluster.
func (s *Stack) assembleNodes(config string, key Key) error {
	for i := range max(1, s.Nodes) {
		node := &SFU{Host: s.Host, Program: s.Programs.SFU, Keys: []Key{key}, Config: config, MediaRelay: s.RelayMedia, TCP: s.MediaOverTCP}
		if s.LiveKitRedis != nil {
			node.Name, node.Redis = fmt.Sprintf("sfu-%d", i+1), s.LiveKitRedis.address
		}
		if err := node.reserve(); err != nil {
			return err
		}
		s.SFUs = append(s.SFUs, node)
	}
	s.SFU = s.SFUs[0]
	if s.LiveKitRedis == nil {
		return nil
	}
	var err error
	s.nodes, err = s.Host.Address()
	return err
}

// sfuURL returns the URL at which the services call the SFU's API. If there are several
// nodes, nginx listens at this URL.
func (s *Stack) sfuURL() string {
	if s.nodes != "" {
		return "http://" + s.nodes
	}
	return s.SFU.APIURL()
}

// sfuName returns the address of the SFU in nginx's configuration. If there are several
// nodes, sfuName returns the name of their group.
func (s *Stack) sfuName() string {
	if s.nodes != "" {
		return "sfus"
	}
	return strings.TrimPrefix(s.SFU.APIURL(), "http://")
}

// sfuUpstream returns two parts of nginx's configuration for several nodes. One is a
// group of all nodes, which get requests in turn. The other is a server at which the
// services reach the nodes' API. If there is only one SFU, sfuUpstream returns "".
func (s *Stack) sfuUpstream() string {
	if s.nodes == "" {
		return ""
	}
	var group strings.Builder
	for _, node := range s.SFUs {
		fmt.Fprintf(&group, "server %s max_fails=1 fail_timeout=5s;\n", loopback(node.ports.http))
	}
	return fmt.Sprintf("upstream sfus {\n%s}\nserver {\nlisten %s;\nlocation / { proxy_pass http://sfus; }\n}\n", group.String(), s.nodes)
}

// NodeOf returns the node on which the latest session in a LiveKit room began. If there
// was no session, it returns nil.
func (s *Stack) NodeOf(room string) *SFU { return Newest(s.SFUs, room) }

// Newest returns the node on which the latest session in a LiveKit room began. If there
// was no session, it returns nil.
func Newest(nodes []*SFU, room string) (newest *SFU) {
	last := ""
	for _, node := range nodes {
		for line := range strings.Lines(node.Log().String()) {
			// each line begins with its time, so the latest line is the greatest text
			if strings.Contains(line, "starting RTC session") && strings.Contains(line, fmt.Sprintf("%q", room)) && line > last {
				newest, last = node, line
			}
		}
	}
	return newest
}
