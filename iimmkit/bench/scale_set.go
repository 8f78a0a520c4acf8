package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// scaleSet is a made set of embeddings, too large to be held: unit rows around a
// common direction and the caption of their class, as images of a dual encoder
// lie, drawn from a fixed seed.
type scaleSet struct {
	dir        string
	d, classes int
	texts      *measure.Texts
	centres    []float32 // [classes,d] what rows of a class have in common
	noise      []float32 // rows take theirs from two places of it: drawing it anew costs more than writing it
	rng        *rand.Rand

	n       int
	onePass measure.Result
}

const (
	shardBytes  = 128 << 20 // of images in a shard
	noiseLength = 1 << 20
	blobRows    = 16 // that statistics are of: the cost of merging does not depend on it
)

func newScaleSet(dir string, d, classes int) (*scaleSet, error) {
	s := &scaleSet{dir: dir, d: d, classes: classes, rng: rand.New(rand.NewPCG(0, 0)), noise: make([]float32, noiseLength+d)}
	draw := func(x []float32) {
		for j := range x {
			x[j] = float32(s.rng.NormFloat64() / math.Sqrt(float64(d)))
		}
	}
	draw(s.noise)
	common, texts := make([]float32, d), make([]float32, classes*d)
	draw(common)
	draw(texts)
	s.centres = make([]float32, classes*d)
	for k := range classes {
		text, centre := texts[k*d:(k+1)*d], s.centres[k*d:(k+1)*d]
		for j := range text {
			text[j] += common[j] / 2
			centre[j] = common[j] + text[j]/2
		}
		unit(text)
	}
	var err error
	if s.texts, err = measure.NewTexts(texts, d); err != nil {
		return nil, err
	}
	return s, tensorfile.WriteNPY(filepath.Join(dir, "captions.npy"), tensorfile.FromFloat32("", []int{classes, d}, texts))
}

func unit(row []float32) {
	q := float32(0)
	for _, v := range row {
		q += v * v
	}
	w := 1 / float32(math.Sqrt(float64(q)))
	for j := range row {
		row[j] *= w
	}
}

// draw fills rows and their labels.
func (s *scaleSet) draw(rows []float32, labels []int) {
	for i := range labels {
		y := s.rng.IntN(s.classes)
		labels[i] = y
		row, centre := rows[i*s.d:(i+1)*s.d], s.centres[y*s.d:(y+1)*s.d]
		a, b := s.rng.IntN(noiseLength), s.rng.IntN(noiseLength)
		one, other := s.noise[a:a+s.d], s.noise[b:b+s.d]
		for j := range row {
			row[j] = centre[j] + one[j] - other[j]
		}
		unit(row)
	}
}

// shards writes n rows and measures them in one pass.
func (s *scaleSet) shards(ctx context.Context, n int) ([]job, error) {
	s.n = n
	if err := fetch.EnoughSpace(s.dir, int64(n)*int64(4*s.d+8)); err != nil {
		return nil, err
	}
	all, err := measure.New(s.classes, s.d)
	if err != nil {
		return nil, err
	}
	most := min(n, max(1, shardBytes/(4*s.d)))
	rows, labels, wide := make([]float32, most*s.d), make([]int, most), make([]int64, most)
	var files []string
	for lo := 0; lo < n; lo += most {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		few := min(most, n-lo)
		s.draw(rows[:few*s.d], labels[:few])
		if err := all.AddBatch(rows[:few*s.d], labels[:few]); err != nil {
			return nil, err
		}
		for i, y := range labels[:few] {
			wide[i] = int64(y)
		}
		name := fmt.Sprintf("shard-%05d.safetensors", len(files))
		err := tensorfile.WriteSafetensors(filepath.Join(s.dir, name), []tensorfile.Tensor{
			tensorfile.FromFloat32("images", []int{few, s.d}, rows[:few*s.d]), tensorfile.FromInt64("labels", []int{few}, wide[:few]),
		}, nil)
		if err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	s.onePass, err = all.Result(s.texts)
	return s.maps(files), err
}

// blobs writes n statistics in both states, each of a few rows, and measures all
// rows in one pass.
func (s *scaleSet) blobs(ctx context.Context, n int) ([]job, error) {
	s.n = n * blobRows
	if err := fetch.EnoughSpace(s.dir, int64(n)*8*(int64(s.classes)*int64(s.d+2)+int64(s.d+3))); err != nil {
		return nil, err
	}
	all, err := measure.New(s.classes, s.d)
	if err != nil {
		return nil, err
	}
	rows, labels := make([]float32, blobRows*s.d), make([]int, blobRows)
	var names [2][]string
	for k := range n {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s.draw(rows, labels)
		if err := all.AddBatch(rows, labels); err != nil {
			return nil, err
		}
		ofClasses, err := measure.New(s.classes, s.d)
		if err != nil {
			return nil, err
		}
		for i, a := range []*measure.Accumulator{measure.NewFused(s.texts), ofClasses} {
			if err := a.AddBatch(rows, labels); err != nil {
				return nil, err
			}
			if err := a.MarkShard(a.Digest()); err != nil {
				return nil, err
			}
			b, err := a.MarshalBinary()
			if err != nil {
				return nil, err
			}
			name := fmt.Sprintf("%05d.%d.stats", k, i)
			if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o600); err != nil {
				return nil, err
			}
			names[i] = append(names[i], name)
		}
	}
	s.onePass, err = all.Result(s.texts)
	return append(s.reduce(stateCaptions, names[0]), s.reduce(stateOfClasses, names[1])...), err
}

// readThrough brings a file into the system's memory.
func readThrough(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}
