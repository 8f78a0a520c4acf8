package measure

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// The binary form, all numbers little-endian:
//
//	magic "IIMMstat", version u32, flags u32 (1 fused, 2 normalised),
//	C u64, d u64, SHA-256 of the captions (fused, else zeros),
//	number of shards u64, for each its length u64 and bytes,
//	counts i64, Q f64, S f64, L f64 (fused only), CRC-32C of all before it.
const (
	magic         = "IIMMstat"
	binaryVersion = 1
	flagFused     = 1
	flagNormalize = 2
	maxShardName  = 1 << 16
	headerSize    = len(magic) + 4 + 4 + 8 + 8 + 32 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary writes the statistics in a versioned form with a checksum. The
// captions of a fused accumulator are not in it, only their hash.
func (a *Accumulator) MarshalBinary() ([]byte, error) {
	flags := uint32(0)
	if a.fused {
		flags |= flagFused
	}
	if a.normalize {
		flags |= flagNormalize
	}
	b := make([]byte, 0, headerSize+8*(len(a.count)+len(a.q)+len(a.sum)+1)+4)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, binaryVersion)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(a.classes))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.dim))
	b = append(b, a.textHash[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(a.shards)))
	for _, s := range a.Shards() {
		if len(s) > maxShardName {
			return nil, fmt.Errorf("shard name of %d bytes", len(s))
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, v := range a.count {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	sums := [][]float64{a.q, a.sum}
	if a.fused {
		sums = append(sums, []float64{a.l})
	}
	for _, s := range sums {
		for _, v := range s {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// UnmarshalBinary replaces a by the statistics MarshalBinary wrote. Damaged,
// cut or impossible bytes are an error and leave a as it was. A fused
// accumulator read so can be merged and asked for its Result, not added to.
func (a *Accumulator) UnmarshalBinary(b []byte) error {
	n, err := parseAccumulator(b)
	if err != nil {
		return fmt.Errorf("embedding statistics: %w", err)
	}
	*a = *n
	return nil
}

func parseAccumulator(b []byte) (*Accumulator, error) {
	if len(b) < headerSize+4 || string(b[:len(magic)]) != magic {
		return nil, errors.New("not in the form this program writes")
	}
	body := b[:len(b)-4]
	version := binary.LittleEndian.Uint32(body[len(magic):])
	if version != binaryVersion {
		return nil, fmt.Errorf("version %d, this program reads %d", version, binaryVersion)
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("checksum does not match: damaged or cut off")
	}
	body = body[len(magic)+4:]
	word := func() uint64 {
		v := binary.LittleEndian.Uint64(body)
		body = body[8:]
		return v
	}
	flags := binary.LittleEndian.Uint32(body)
	body = body[4:]
	if flags&^(flagFused|flagNormalize) != 0 {
		return nil, fmt.Errorf("unknown flags %#x", flags)
	}
	classes, dim := word(), word()
	if classes > math.MaxInt || dim > math.MaxInt {
		return nil, fmt.Errorf("%d classes of width %d", classes, dim)
	}
	a := &Accumulator{
		classes: int(classes), dim: int(dim),
		fused: flags&flagFused != 0, normalize: flags&flagNormalize != 0,
	}
	if err := checkSize(a.classes, a.dim); err != nil {
		return nil, err
	}
	copy(a.textHash[:], body)
	body = body[len(a.textHash):]
	if !a.fused && a.textHash != [32]byte{} {
		return nil, errors.New("captions without fusion")
	}

	shards := word()
	if shards > uint64(len(body)/8) {
		return nil, errors.New("cut off in the names of its shards")
	}
	last := ""
	for k := range shards {
		if len(body) < 8 {
			return nil, errors.New("cut off in the names of its shards")
		}
		size := word()
		if size > maxShardName || size > uint64(len(body)) {
			return nil, errors.New("cut off in the names of its shards")
		}
		id := string(body[:size])
		if k > 0 && id <= last {
			return nil, fmt.Errorf("shard %q comes twice or out of order", id)
		}
		if err := a.MarkShard(id); err != nil {
			return nil, err
		}
		last, body = id, body[size:]
	}

	counts, sums := a.classes, a.classes*a.dim
	words := 2*counts + sums
	if a.fused {
		counts, sums = 1, a.dim
		words = 2*counts + sums + 1
	}
	if len(body)%8 != 0 || len(body)/8 != words {
		return nil, fmt.Errorf("%d bytes of statistics, %d classes of width %d need %d", len(body), a.classes, a.dim, 8*words)
	}
	a.count, a.q, a.sum = make([]int64, counts), make([]float64, counts), make([]float64, sums)
	total := int64(0)
	for i := range a.count {
		a.count[i] = int64(word())
		if a.count[i] < 0 || a.count[i] > math.MaxInt64/2-total {
			return nil, fmt.Errorf("class %d has %d images", i, a.count[i])
		}
		total += a.count[i]
	}
	for _, part := range [][]float64{a.q, a.sum} {
		for i := range part {
			part[i] = math.Float64frombits(binary.LittleEndian.Uint64(body[8*i:]))
		}
		body = body[8*len(part):]
	}
	if a.fused {
		a.l = math.Float64frombits(word())
	}
	return a, a.check()
}

// check tells which sums cannot be those of any rows.
func (a *Accumulator) check() error {
	for _, part := range [][]float64{a.q, a.sum, {a.l}} {
		for _, v := range part {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return errors.New("a sum is not a finite number")
			}
		}
	}
	for c, q := range a.q {
		// |S_c|^2 <= n_c Q_c holds for any vectors, so an empty class has no sum.
		if q < 0 || (a.count[c] == 0) != (q == 0) {
			return fmt.Errorf("class %d has %d images of squared norm %v", c, a.count[c], q)
		}
		if s := a.sum[c*a.dim : (c+1)*a.dim]; a.count[c] == 0 && dot(s, s) != 0 {
			return fmt.Errorf("class %d has no images, but a sum", c)
		}
	}
	return nil
}

// Digest identifies the rows that were added, in the order in which they were,
// by their statistics: SHA-256, in hex. The names of shards are not in it.
// Accumulators of one kind have the same digest when, but for chance, they hold
// the same rows, whatever files these came in.
func (a *Accumulator) Digest() string {
	nameless := *a
	nameless.shards = nil
	b, err := nameless.MarshalBinary()
	if err != nil {
		panic(err) // only a name can be too long
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
