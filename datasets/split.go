package datasets

import (
	"cmp"
	"fmt"
	"maps"
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

// divide moves a part of Train to Test. Images of which group tells the same
// stay together.
func (t *Task) divide(fraction float64, group func(i int) int, seed uint64) (err error) {
	n := int(float64(t.Train.Len())*fraction + 0.5)
	if t.Train, t.Test, err = SplitGroups(t.Train, group, n, seed); err != nil {
		return err
	}
	if t.Test.Len() == 0 || t.Train.Len() == 0 {
		return fmt.Errorf("%d pictures, counting those that must stay together as one, are too few to split off %v of them for testing",
			t.Train.Len()+t.Test.Len(), fraction)
	}
	return nil
}

// SplitGroups is Split for images that belong together: those of which group
// tells the same number all come into one part. The test part has as nearly
// nTest images, and each class in as nearly its proportion, as whole groups
// allow; a class with a single group stays in training. Where no two images
// belong together the result is that of Split.
func SplitGroups(images Images, group func(i int) int, nTest int, seed uint64) (train, test Images, err error) {
	members := map[int][]int{}
	for i := range images.Len() {
		members[group(i)] = append(members[group(i)], i)
	}
	if len(members) == images.Len() {
		return Split(images, nTest, seed)
	}
	if nTest < 0 || nTest > images.Len() {
		return nil, nil, fmt.Errorf("cannot take %d of %d images for testing", nTest, images.Len())
	}
	// What the test part still wants of each class, and in how many groups the
	// class is that could stay in training.
	wanted, groups := map[int]float64{}, map[int]int{}
	classes := map[int][]int{} // of each group, every one once
	for g, list := range members {
		seen := map[int]bool{}
		for _, i := range list {
			k := images.Label(i)
			wanted[k] += float64(nTest) / float64(images.Len())
			if !seen[k] {
				seen[k] = true
				groups[k]++
				classes[g] = append(classes[g], k)
			}
		}
	}
	order := stratified(images, seed)
	var random []int // groups
	decided := map[int]bool{}
	for _, i := range order {
		if g := group(i); !decided[g] {
			decided[g] = true
			random = append(random, g)
		}
	}
	inTest, taken := map[int]bool{}, 0
	take := func(g int, useful func(map[int]int) bool) {
		if inTest[g] || slices.ContainsFunc(classes[g], func(k int) bool { return groups[k] == 1 }) {
			return
		}
		count := map[int]int{}
		for _, j := range members[g] {
			count[images.Label(j)]++
		}
		if !useful(count) {
			return
		}
		inTest[g] = true
		taken += len(members[g])
		for k, n := range count {
			wanted[k] -= float64(n)
			groups[k]--
		}
	}
	// First what brings its classes nearer to their proportions, then what brings
	// the number nearer to nTest, from the classes that lack most.
	for _, g := range random {
		take(g, func(count map[int]int) bool {
			useful := 0.0
			for k, n := range count {
				useful += min(float64(n), max(wanted[k], 0))
			}
			return 2*useful > float64(len(members[g]))
		})
	}
	lacks := map[int]float64{}
	for _, g := range random {
		for _, k := range classes[g] {
			lacks[g] += wanted[k]
		}
	}
	slices.SortStableFunc(random, func(a, b int) int { return cmp.Compare(lacks[b], lacks[a]) })
	for _, g := range random {
		take(g, func(count map[int]int) bool {
			lack := 0.0
			for k := range count {
				lack += wanted[k]
			}
			return lack > 0 && 2*taken+len(members[g]) <= 2*nTest
		})
	}
	var trainIndices, testIndices []int
	for _, i := range order {
		if inTest[group(i)] {
			testIndices = append(testIndices, i)
		} else {
			trainIndices = append(trainIndices, i)
		}
	}
	return Subset(images, trainIndices), Subset(images, testIndices), nil
}

// Shots takes n images of each class at random, in the order of Shuffle: those
// of a smaller n are among those of a larger one. A class with fewer is an error.
func Shots(images Images, n int, seed uint64) (Images, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d images of each class", n)
	}
	count := map[int]int{}
	for i := range images.Len() {
		count[images.Label(i)]++
	}
	for _, k := range slices.Sorted(maps.Keys(count)) {
		if count[k] < n {
			return nil, fmt.Errorf("class %d has %d images, %d are asked for", k, count[k], n)
		}
	}
	taken := map[int]int{}
	var indices []int
	for _, i := range stratified(images, seed) {
		if k := images.Label(i); taken[k] < n {
			taken[k]++
			indices = append(indices, i)
		}
	}
	return Subset(images, indices), nil
}
