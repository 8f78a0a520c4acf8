package datasets

import (
	"fmt"
	"slices"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// labelled are images of which only the label matters.
type labelled []int

func (l labelled) Len() int        { return len(l) }
func (l labelled) Label(i int) int { return l[i] }
func (l labelled) ID(i int) string { return fmt.Sprint(i) }

func (l labelled) Image(i int) (*picture.RGB, error) { return picture.New(1, 1), nil }

func ids(images Images) []string {
	list := make([]string, images.Len())
	for i := range list {
		list[i] = images.ID(i)
	}
	return list
}

func counts(images Images, classes int) []int {
	n := make([]int, classes)
	for i := range images.Len() {
		n[images.Label(i)]++
	}
	return n
}

// unbalanced has 100, 50, 10 and 1 images of four classes.
func unbalanced() labelled {
	var l labelled
	for k, n := range []int{100, 50, 10, 1} {
		for range n {
			l = append(l, k)
		}
	}
	return l
}

func TestSplitKeepsProportions(t *testing.T) {
	train, test, err := Split(unbalanced(), 48, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := counts(test, 4); !slices.Equal(got, []int{30, 15, 3, 0}) {
		t.Errorf("test has %v of the classes, want 30%% of 100, 50, 10 and none of the single one", got)
	}
	if got := counts(train, 4); !slices.Equal(got, []int{70, 35, 7, 1}) {
		t.Errorf("train has %v of the classes", got)
	}
	all := append(ids(train), ids(test)...)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 161 {
		t.Errorf("%d different images in both parts, want all 161", n)
	}
}

func TestEveryBeginningOfASplitIsInProportion(t *testing.T) {
	train, _, err := Split(unbalanced(), 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	for n := 16; n <= 160; n += 16 {
		got := counts(Prefix(train, n), 4)
		for k, size := range []int{100, 50, 10} {
			want := float64(n) * float64(size) / 161
			if d := float64(got[k]) - want; d > 1.1 || d < -1.1 {
				t.Errorf("the first %d hold %d of class %d, want about %.1f", n, got[k], k, want)
			}
		}
	}
}

func TestSplitDependsOnTheSeedAlone(t *testing.T) {
	split := func(seed uint64) []string {
		train, test, err := Split(unbalanced(), 40, seed)
		if err != nil {
			t.Fatal(err)
		}
		return append(ids(train), ids(test)...)
	}
	if !slices.Equal(split(0), split(0)) {
		t.Error("the same seed splits differently")
	}
	if slices.Equal(split(0), split(1)) {
		t.Error("seeds 0 and 1 split alike")
	}
}

func TestSplitRefusesWrongSizes(t *testing.T) {
	for _, n := range []int{-1, 162} {
		if _, _, err := Split(unbalanced(), n, 0); err == nil {
			t.Errorf("%d of 161 images for testing were accepted", n)
		}
	}
}

func TestSubsetOfASubset(t *testing.T) {
	s := Subset(Subset(labelled{5, 6, 7, 8}, []int{3, 1, 0}), []int{2, 0})
	if s.Len() != 2 || s.Label(0) != 5 || s.Label(1) != 8 || s.ID(1) != "3" {
		t.Errorf("got labels %d, %d", s.Label(0), s.Label(1))
	}
	if all := Prefix(s, 0); all != s {
		t.Error("Prefix 0 is not everything")
	}
}
