package redisstore

import (
	"crypto/sha256"
	"encoding/binary"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// An id stands for a job's key where the names would take too much memory: some
// bytes of a hash of the room, then some of a hash of the key. Redis keeps a text
// of 14 bytes in 16, and one of 15 in 32.
//
// Two keys may have one id. A record has the names in full, which are compared: to
// who asks for the other key it is no job, and is overwritten when that one is
// delegated. To meet a certain job's id takes 2^72 tries of who is in its room.
const (
	roomPart = 5
	idSize   = 14
)

// shards is in how many parts the jobs' due times are kept, by their rooms. A
// million jobs have 122 in each on average, and Redis keeps a sorted set of up to
// 128 (zset-max-listpack-entries) in one piece, which takes a quarter of the memory.
const shards = 8192

// id returns the id of a key.
func id(key leave.Key) string {
	b := binary.AppendUvarint(nil, uint64(len(key.Room)))
	b = append(append(b, key.Room...), key.Identity...)
	sum := sha256.Sum256(b)
	return roomID(key.Room) + string(sum[:idSize-roomPart])
}

// roomID is what the ids of a room's jobs begin with.
func roomID(room sfu.Room) string {
	sum := sha256.Sum256([]byte(room))
	return string(sum[:roomPart])
}

// shard returns in which part a room's jobs are.
func shard(room sfu.Room) int { return partOf(roomID(room)) }

// partOf returns in which part the jobs are whose ids begin with these bytes.
func partOf(roomID string) int {
	return int(binary.BigEndian.Uint32([]byte(roomID)) % shards)
}
