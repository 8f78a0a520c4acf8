package measure

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func filled(t testing.TB, fused bool) (*Accumulator, *Texts) {
	t.Helper()
	const n, classes, d = 20, 3, 4
	x, y, texts := randomSet(rand.New(rand.NewPCG(1, 2)), n, classes, d)
	table, err := NewTexts(texts, d)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(classes, d)
	if err != nil {
		t.Fatal(err)
	}
	if fused {
		a = NewFused(table)
	}
	if err := a.AddBatchFloat64(x, y); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"b", "a"} {
		if err := a.MarkShard(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.MarkShard("a"); err == nil {
		t.Fatal("a shard was marked twice")
	}
	return a, table
}

func TestBinaryRoundTrip(t *testing.T) {
	for _, fused := range []bool{false, true} {
		a, texts := filled(t, fused)
		b, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if numbers := len(b) - headerSize - 4 - 2*9; fused && numbers != 8*(4+3) || !fused && numbers != 8*3*(4+2) {
			t.Errorf("fused %v: %d bytes of numbers", fused, numbers)
		}
		var c Accumulator
		if err := c.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Shards(), []string{"a", "b"}) || c.N() != a.N() || !slices.Equal(c.Counts(), a.Counts()) {
			t.Errorf("fused %v: %v %d", fused, c.Shards(), c.N())
		}
		want, err := a.Result(texts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Result(texts)
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range values(t, want) {
			if values(t, got)[key] != v {
				t.Errorf("fused %v %s: %v, was %v", fused, key, values(t, got)[key], v)
			}
		}
		if fused {
			if err := c.Add([]float32{1, 0, 0, 0}, 0); err == nil {
				t.Error("a row was added without captions")
			}
		}
	}
}

func TestUnmarshalRefusesDamage(t *testing.T) {
	a, _ := filled(t, false)
	good, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	// reseal gives changed bytes the checksum they want.
	reseal := func(change func(b []byte) []byte) []byte {
		b := change(bytes.Clone(good[:len(good)-4]))
		return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	}
	put := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b }
	}
	const sizes, shards = len(magic) + 8, len(magic) + 8 + 16 + 32
	counts := shards + 8 + 2*9
	cases := map[string][]byte{
		"empty":          nil,
		"text":           []byte("label,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0,1.1,1.2,1.3,1.4,1.5"),
		"version":        reseal(func(b []byte) []byte { b[len(magic)]++; return b }),
		"flags":          reseal(func(b []byte) []byte { b[len(magic)+4] = 8; return b }),
		"other kind":     reseal(func(b []byte) []byte { b[len(magic)+4] = flagFused; return b }),
		"hash":           reseal(func(b []byte) []byte { b[sizes+16] = 1; return b }),
		"classes 2^60":   reseal(put(sizes, 1<<60)),
		"classes max":    reseal(put(sizes, math.MaxUint64)),
		"width":          reseal(put(sizes+8, 5)),
		"one class":      reseal(put(sizes, 1)),
		"shards 2^60":    reseal(put(shards, 1<<60)),
		"shards":         reseal(put(shards, 3)),
		"shard length":   reseal(put(shards+8, 1<<62)),
		"shard twice":    reseal(func(b []byte) []byte { b[shards+8+9+8] = 'a'; return b }),
		"negative count": reseal(put(counts, math.MaxUint64)),
		"huge count":     reseal(put(counts, math.MaxInt64)),
		"empty class":    reseal(put(counts, 0)),
		"NaN":            reseal(put(counts+8*3, math.Float64bits(math.NaN()))),
		"negative norm":  reseal(put(counts+8*3, math.Float64bits(-1))),
		"infinite":       reseal(put(counts+8*7, math.Float64bits(math.Inf(1)))),
		"longer":         reseal(func(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0, 0) }),
	}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 4
		cases["bit flip at "+string(rune('0'+i))] = flipped
		cases["cut at "+string(rune('0'+i))] = good[:i]
	}
	for name, b := range cases {
		var c Accumulator
		if err := c.UnmarshalBinary(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := a.UnmarshalBinary(cases["NaN"]); err == nil || a.N() != 20 {
		t.Error("a failed read changed the accumulator")
	}
	if err := a.UnmarshalBinary(good); err != nil {
		t.Errorf("undamaged: %v", err)
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	for _, fused := range []bool{false, true} {
		a, _ := filled(f, fused)
		b, err := a.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		// With a checksum that fits, so that the rest of the reader is met.
		b := binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
		var a Accumulator
		if err := a.UnmarshalBinary(b); err != nil {
			return
		}
		again, err := a.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read, but written differently: %v", err)
		}
		o := a
		o.shards = nil
		if err := a.Merge(&o); err != nil {
			t.Fatalf("does not merge with itself: %v", err)
		}
	})
}

func TestDigestIsOfTheRowsNotOfNames(t *testing.T) {
	a, _ := filled(t, false)
	b, _ := filled(t, false)
	if err := b.MarkShard("c"); err != nil {
		t.Fatal(err)
	}
	if a.Digest() != b.Digest() || len(a.Digest()) != 64 || !slices.Equal(b.Shards(), []string{"a", "b", "c"}) {
		t.Errorf("%s %s %v", a.Digest(), b.Digest(), b.Shards())
	}
	if err := b.Add([]float32{1, 0, 0, 0}, 2); err != nil {
		t.Fatal(err)
	}
	fused, _ := filled(t, true)
	if a.Digest() == b.Digest() || a.Digest() == fused.Digest() {
		t.Error("other statistics have the same digest")
	}
}
