package datasets

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// sized are pictures of given sizes; one of width 0 is broken.
type sized [][2]int

func (s sized) Len() int        { return len(s) }
func (s sized) Label(int) int   { return 0 }
func (s sized) ID(i int) string { return fmt.Sprint("picture ", i) }
func (s sized) Image(i int) (*picture.RGB, error) {
	if s[i][0] == 0 {
		return nil, fmt.Errorf("%w: nothing", picture.ErrEmpty)
	}
	return picture.New(s[i][0], s[i][1]), nil
}

func TestLookTellsSizesAndWhatIsBroken(t *testing.T) {
	task := &Task{Train: sized{{5, 4}, {9, 4}, {0, 0}, {5, 4}}, Test: sized{{1, 8}}}
	s, problems, err := Look(t.Context(), task, 0, progress.Discard)
	if err != nil || *s != (Survey{Looked: 4, Of: 5, Sizes: 3, Width: Range{1, 5, 9}, Height: Range{4, 4, 8}}) {
		t.Errorf("%+v, %v", s, err)
	}
	if len(problems) != 1 || problems[0].Kind != EmptyFile || problems[0].Path != "picture 2" {
		t.Errorf("%v", problems)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := Look(ctx, task, 0, progress.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestLookAtSomeIsSpreadOverAll(t *testing.T) {
	train := make(sized, 900)
	for i := range train {
		train[i] = [2]int{i + 1, 1}
	}
	test := make(sized, 100)
	for i := range test {
		test[i] = [2]int{2000 + i, 2}
	}
	s, _, err := Look(t.Context(), &Task{Train: train, Test: test}, 100, progress.Discard)
	// Ten of them in the test split: every tenth of all is looked at.
	if err != nil || s.Looked != 100 || s.Of != 1000 || s.Sizes != 100 || s.Width != (Range{1, 491, 2090}) || s.Height != (Range{1, 1, 2}) {
		t.Errorf("%+v, %v", s, err)
	}
}
