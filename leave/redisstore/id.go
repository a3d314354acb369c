package redisstore

import (
	"crypto/sha256"
	"encoding/binary"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// The store uses an id in place of a job's key, because the names in a key take too
// much memory. An id has 5 bytes of a hash of the room, and 9 bytes of a hash of the
// key. Redis keeps a text of 14 bytes in 16 bytes of memory, and a text of 15 bytes in
// 32.
//
// Two keys can have the same id. A record contains the full names, and readers compare
// them. If the names are those of another key, the reader finds no job, and a
// delegation overwrites the record. To make a key with the same id as a given job, an
// attacker in the same room would need 2^72 tries.
const (
	roomPart = 5
	idSize   = 14
)

// shards is the number of parts into which the due times of jobs are divided. The room
// of a job decides the part. If there are a million jobs, each part has 122 jobs on
// average. Redis keeps a sorted set of up to 128 members (zset-max-listpack-entries) in
// one piece of memory, which takes a quarter of the usual bytes.
const shards = 8192

// id returns the short id that stands for a key.
func id(key leave.Key) string {
	b := binary.AppendUvarint(nil, uint64(len(key.Room)))
	b = append(append(b, key.Room...), key.Identity...)
	sum := sha256.Sum256(b)
	return roomID(key.Room) + string(sum[:idSize-roomPart])
}

// roomID returns the bytes with which the ids of all jobs in room begin.
func roomID(room sfu.Room) string {
	sum := sha256.Sum256([]byte(room))
	return string(sum[:roomPart])
}

// shard returns the number of the part that holds the due times of the room's jobs.
func shard(room sfu.Room) int { return partOf(roomID(room)) }

// partOf returns the same number as shard. Its argument is not the room, but the bytes
// with which the ids of the room's jobs begin.
func partOf(roomID string) int {
	return int(binary.BigEndian.Uint32([]byte(roomID)) % shards)
}
