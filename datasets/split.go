package datasets

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Subset is the images of a source with the given indices, in that order.
func Subset(images Images, indices []int) Images {
	if s, ok := images.(*subset); ok { // one step of indirection, however often it is cut
		deep := make([]int, len(indices))
		for i, j := range indices {
			deep[i] = s.indices[j]
		}
		return &subset{s.Images, deep}
	}
	return &subset{images, slices.Clone(indices)}
}

type subset struct {
	Images
	indices []int
}

func (s *subset) Len() int                          { return len(s.indices) }
func (s *subset) Label(i int) int                   { return s.Images.Label(s.indices[i]) }
func (s *subset) ID(i int) string                   { return s.Images.ID(s.indices[i]) }
func (s *subset) Image(i int) (*picture.RGB, error) { return s.Images.Image(s.indices[i]) }

// Prefix is the first n images, or all when n is 0 or larger than their number.
func Prefix(images Images, n int) Images {
	if images == nil || n <= 0 || n >= images.Len() {
		return images
	}
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	return Subset(images, indices)
}

// Split divides images at random into nTest for testing and the rest for
// training, each class in proportion. Both parts are in a random order of
// which every beginning again holds each class in proportion. A class with a
// single image stays in training. The result depends only on labels, order and seed.
func Split(images Images, nTest int, seed uint64) (train, test Images, err error) {
	if nTest < 0 || nTest > images.Len() {
		return nil, nil, fmt.Errorf("cannot take %d of %d images for testing", nTest, images.Len())
	}
	order := stratified(images, seed)
	count := map[int]int{}
	for i := range images.Len() {
		count[images.Label(i)]++
	}
	var trainIndices, testIndices []int
	for _, i := range order {
		if len(testIndices) < nTest && count[images.Label(i)] > 1 {
			testIndices = append(testIndices, i)
		} else {
			trainIndices = append(trainIndices, i)
		}
	}
	return Subset(images, trainIndices), Subset(images, testIndices), nil
}

// Shuffle puts images into the random order of Split.
func Shuffle(images Images, seed uint64) Images { return Subset(images, stratified(images, seed)) }

// stratified returns a random order of which every beginning holds each class
// nearly in proportion: image r of a class with n images, shuffled, is placed
// at (r+1/2)/n, ties broken at random.
func stratified(images Images, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 0x5eed_0f_0bde7))
	type entry struct {
		index int
		at    float64
		tie   uint64
	}
	byClass := map[int][]int{}
	var classes []int
	for i := range images.Len() {
		k := images.Label(i)
		if byClass[k] == nil {
			classes = append(classes, k)
		}
		byClass[k] = append(byClass[k], i)
	}
	slices.Sort(classes)
	entries := make([]entry, 0, images.Len())
	for _, k := range classes {
		indices := byClass[k]
		r.Shuffle(len(indices), func(i, j int) { indices[i], indices[j] = indices[j], indices[i] })
		for rank, i := range indices {
			entries = append(entries, entry{i, (float64(rank) + 0.5) / float64(len(indices)), r.Uint64()})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.tie, b.tie), cmp.Compare(a.index, b.index))
	})
	order := make([]int, len(entries))
	for i, e := range entries {
		order[i] = e.index
	}
	return order
}

// divide moves a part of Train to Test.
func (t *Task) divide(fraction float64, seed uint64) (err error) {
	n := int(float64(t.Train.Len())*fraction + 0.5)
	if t.Train, t.Test, err = Split(t.Train, n, seed); err != nil {
		return err
	}
	if t.Test.Len() == 0 || t.Train.Len() == 0 {
		return fmt.Errorf("%d pictures are too few to split off %v of them for testing", t.Train.Len()+t.Test.Len(), fraction)
	}
	return nil
}
