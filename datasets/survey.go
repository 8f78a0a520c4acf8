package datasets

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Survey is what the pictures of a task are like.
type Survey struct {
	Looked int `json:"pictures"` // that were decoded
	Of     int `json:"of_pictures"`
	Sizes  int `json:"different_sizes"` // among those looked at
	// Width and Height are over those looked at, in pixels.
	Width  Range `json:"width"`
	Height Range `json:"height"`
}

// Range is what a number is least, in the middle and most.
type Range struct {
	Least  int `json:"least"`
	Median int `json:"median"` // the lower one of two
	Most   int `json:"most"`
}

func rangeOf(values []int) Range {
	if len(values) == 0 {
		return Range{}
	}
	slices.Sort(values)
	return Range{values[0], values[(len(values)-1)/2], values[len(values)-1]}
}

// Look decodes pictures of all splits of a task, or most of them spread evenly
// over each when it has more, and tells their sizes. Pictures that cannot be
// decoded are problems. It fails when ctx is done.
func Look(ctx context.Context, t *Task, most int, report progress.Reporter) (*Survey, []Problem, error) {
	type at struct {
		images Images
		i      int
	}
	s := &Survey{}
	splits := []Images{t.Train, t.Val, t.Test}
	for _, images := range splits {
		if images != nil {
			s.Of += images.Len()
		}
	}
	var all []at
	seen := 0
	for _, images := range splits {
		if images == nil {
			continue
		}
		for i := range images.Len() {
			// Picture k of all is looked at when k*most/of begins a new number.
			if most <= 0 || most >= s.Of || seen*most/s.Of != (seen-1)*most/s.Of || seen == 0 {
				all = append(all, at{images, i})
			}
			seen++
		}
	}
	type size struct{ width, height int }
	sizes, errs := make([]size, len(all)), make([]error, len(all))
	bar := report.Start("looking at pictures", len(all))
	defer bar.Done()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for k := int(next.Add(1)) - 1; k < len(all) && ctx.Err() == nil; k = int(next.Add(1)) - 1 {
				p, err := all[k].images.Image(all[k].i)
				if errs[k] = err; err == nil {
					sizes[k] = size{p.Width, p.Height}
				}
				bar.Add(1)
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	var problems []Problem
	var widths, heights []int
	different := map[size]bool{}
	for k, err := range errs {
		if err != nil {
			kind, message := explain(err)
			problems = append(problems, Problem{Kind: kind, Path: all[k].images.ID(all[k].i), Message: message})
			continue
		}
		different[sizes[k]] = true
		widths, heights = append(widths, sizes[k].width), append(heights, sizes[k].height)
	}
	s.Looked, s.Sizes, s.Width, s.Height = len(widths), len(different), rangeOf(widths), rangeOf(heights)
	return s, problems, nil
}
