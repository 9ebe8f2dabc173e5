package main

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// keyKind says what keys look like and in which order they are put.
type keyKind string

const (
	random    keyKind = "random"    // 16 random bytes
	shared    keyKind = "shared"    // user:%011d, the numbers from 0 up in scattered order
	ascending keyKind = "ascending" // the same keys in ascending order
)

// keyLen is the length of a key of every kind.
const keyLen = 16

// valuePool is how many different places values are cut from.
const valuePool = 1 << 20

// gen makes the keys and values of a workload. The i-th is the same in every
// run and costs no memory, so it can be made within a measurement.
type gen struct {
	kind keyKind
	n    uint64
	bits int // of the least power of two that is not below n
	size int // of a value
	pool []byte
}

// newGen returns a generator of n keys with values of size bytes.
func newGen(kind keyKind, n, size int) *gen {
	g := &gen{kind: kind, n: uint64(n), bits: max(bits.Len64(uint64(n-1)), 2), size: size}
	g.pool = make([]byte, valuePool+size)
	rand.NewChaCha8([32]byte{'v', 'a', 'r', 'v', 'e'}).Read(g.pool)
	return g
}

// key sets dst to the i-th key and returns it. Numbers of n and above are keys
// beyond the first n.
func (g *gen) key(dst []byte, i int) []byte {
	x := uint64(i)
	switch g.kind {
	case random:
		dst = binary.BigEndian.AppendUint64(dst[:0], mix(2*x))
		return binary.BigEndian.AppendUint64(dst, mix(2*x+1))
	case shared:
		x = x/g.n*g.n + g.scatter(x%g.n)
	}
	dst = append(dst[:0], "user:00000000000"...)
	for p := keyLen - 1; x > 0; p-- {
		dst[p] = '0' + byte(x%10)
		x /= 10
	}
	return dst
}

// value returns the i-th value. It is lent, and must not be changed.
func (g *gen) value(i int) []byte {
	at := mix(uint64(i)) % valuePool
	return g.pool[at : at+uint64(g.size) : at+uint64(g.size)]
}

// pick returns the number of the key that reader r reads in its j-th step.
func (g *gen) pick(r, j int) int {
	return int(mix(uint64(r+1)<<40+uint64(j)) % g.n)
}

// scatter is a permutation of the numbers below n: one of a power of two, again
// and again until the number is below n.
func (g *gen) scatter(x uint64) uint64 {
	mask := uint64(1)<<g.bits - 1
	for {
		x = x * 0x9e3779b97f4a7c15 & mask
		x ^= x >> (g.bits / 2)
		x = x * 0xbf58476d1ce4e5b9 & mask
		x ^= x >> (g.bits / 2)
		x = (x + 0x94d049bb133111eb) & mask
		if x < g.n {
			return x
		}
	}
}

// mix is the finalizer of SplitMix64: a permutation of all 64-bit numbers that
// looks random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
