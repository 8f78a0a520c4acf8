// Package world draws a small synthetic world: 32 x 32 pictures of shapes,
// glyphs, metal surfaces, aerial tiles and traffic signs, with captions for
// pretraining a dual encoder and with classification tasks at graded distance
// from those captions.
//
// Everything drawn is a function of a seed and an index alone: pictures may be
// drawn in any order and in any number of goroutines. Some colour-shape pairs,
// eight shapes, two faces and all post-processing (noise, inversion, outlines)
// never occur in pretraining; some words are rare there.
package world

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Size is the width and height of every picture, in pixels.
const Size = 32

// Bytes is the length of one packed RGB picture.
const Bytes = 3 * Size * Size

// CaptionsPerImage is the number of captions written for a picture.
const CaptionsPerImage = 3

// families lists what pretraining pictures show, with their shares in percent.
var families = [...]struct {
	percent int
	draw    func(*canvas) scene
}{
	{42, func(c *canvas) scene { return c.shapes(anyShapes()) }},
	{28, func(c *canvas) scene { return c.glyph(anyGlyph()) }},
	{8, func(c *canvas) scene { return c.metal(free) }},
	{10, func(c *canvas) scene { return c.aerial(free) }},
	{12, func(c *canvas) scene { return c.sign(free, free) }},
}

// scene is what was drawn, ready to be put into words.
type scene interface {
	caption(r *random) string
}

// Pair draws pretraining picture index of a seed into pix, which has length
// Bytes (row by row, RGB), and returns its captions. Indices are endless. It
// may be called from several goroutines.
func Pair(seed, index uint64, pix []uint8) [CaptionsPerImage]string {
	c := canvases.Get().(*canvas)
	defer canvases.Put(c)
	c.seed(seed, pretraining, index)
	s := families[len(families)-1].draw
	for roll, i := c.rng.IntN(100), 0; i < len(families); i++ {
		if roll -= families[i].percent; roll < 0 {
			s = families[i].draw
			break
		}
	}
	drawn := s(c)
	c.quantise(pix)
	var captions [CaptionsPerImage]string
	for i := range captions {
		captions[i] = drawn.caption(&c.rng)
	}
	return captions
}

// Pairs draws pretraining pictures 0..n-1 of a seed on all cores. Picture i
// occupies images[i*Bytes:(i+1)*Bytes] and equals what Pair(seed, i) draws.
func Pairs(n int, seed uint64) (images []uint8, captions [][CaptionsPerImage]string) {
	images = make([]uint8, n*Bytes)
	captions = make([][CaptionsPerImage]string, n)
	parallel(n, func(i int) {
		captions[i] = Pair(seed, uint64(i), images[i*Bytes:(i+1)*Bytes])
	})
	return images, captions
}

// parallel calls f(0..n-1) on all cores, handing out indices in blocks.
func parallel(n int, f func(i int)) {
	const block = 64
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+block-1)/block) {
		wg.Go(func() {
			for {
				lo := int(next.Add(block)) - block
				if lo >= n {
					return
				}
				for i := lo; i < min(lo+block, n); i++ {
					f(i)
				}
			}
		})
	}
	wg.Wait()
}

// Streams keep the pictures of different uses apart under one seed.
const (
	pretraining uint64 = iota
	trainSplit
	testSplit
)

// random is a generator whose stream is fixed by numbers, with the draws that
// the families use.
type random struct {
	*rand.Rand
	pcg *rand.PCG
}

func newRandom() random {
	p := rand.NewPCG(0, 0)
	return random{rand.New(p), p}
}

// seed starts the stream of (seed, stream, index). The words are mixed, so
// that neighbouring indices start far apart.
func (r *random) seed(seed, stream, index uint64) {
	r.pcg.Seed(mix(mix(seed)+stream), mix(index)^mix(seed+0x632be59bd9b4e019))
}

// mix is the finaliser of splitmix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *random) uniform(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

func (r *random) normal(sigma float64) float64 { return sigma * r.NormFloat64() }

func (r *random) chance(p float64) bool { return r.Float64() < p }

func (r *random) choice(words ...string) string { return words[r.IntN(len(words))] }

// free leaves an attribute to chance.
const free = -1

// pick returns fixed, or a number in 0..n-1 when fixed is free.
func (r *random) pick(n, fixed int) int {
	if fixed == free {
		return r.IntN(n)
	}
	return fixed
}

// mostly returns 0 with probability p, else a number in 1..n-1.
func (r *random) mostly(p float64, n int) int {
	if r.chance(p) {
		return 0
	}
	return 1 + r.IntN(n-1)
}
