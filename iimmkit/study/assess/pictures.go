package assess

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Pictures are examples, small enough to be part of a page.
type Pictures struct {
	Typical []Picture `json:"typical"` // of each class, the one nearest to its mean
	// Wrong are those most clearly taken for another class.
	Wrong []Picture `json:"wrong"`
	// Copies are pairs of pictures of which one is to go.
	Copies []Copy `json:"copies"`
}

// Copy is a picture and the one that it is a copy of.
type Copy struct {
	ID string `json:"id"`
	Of string `json:"of"`
	// Leak tells that the one is in the training and the other in the test part.
	Leak bool `json:"leak"`
	// PNG and OfPNG are thumbnails, as the text of data URIs.
	PNG   string `json:"-"`
	OfPNG string `json:"-"`
}

// Picture is one image of the data.
type Picture struct {
	ID    string `json:"id"`
	Class string `json:"class"`
	As    string `json:"taken_for,omitempty"`
	// PNG is a thumbnail, as the text of a data URI.
	PNG string `json:"-"`
}

const (
	mostTypical = 24
	mostWrong   = 12
	mostAlike   = 2  // of one class taken for one other
	mostCopies  = 12 // leaks first
	thumbnail   = 96 // pixels of the longer side
)

func pictures(task *datasets.Task, parts []part, a *Assessment) (Pictures, error) {
	p := Pictures{Typical: []Picture{}, Wrong: []Picture{}, Copies: []Copy{}}
	train := parts[0]
	d := train.set.Images.Cols
	x := train.set.Images.Float32s()
	means := make([]float64, len(task.ClassNames)*d)
	for i, y := range train.set.Labels {
		for k, v := range x[i*d : (i+1)*d] {
			means[y*d+k] += float64(v)
		}
	}
	nearest, best := map[int]int{}, map[int]float64{}
	for i, y := range train.set.Labels {
		sum := 0.
		for k, v := range x[i*d : (i+1)*d] {
			sum += float64(v) * means[y*d+k]
		}
		if _, ok := nearest[y]; !ok || sum > best[y] {
			nearest[y], best[y] = i, sum
		}
	}
	for y, name := range task.ClassNames {
		i, ok := nearest[y]
		if !ok || len(p.Typical) == mostTypical {
			continue
		}
		small, err := thumbnailOf(train.images, i)
		if err != nil {
			return p, err
		}
		p.Typical = append(p.Typical, Picture{ID: train.images.ID(i), Class: name, PNG: small})
	}
	type miss struct {
		part, image int
		margin      float64
	}
	var misses []miss
	classes := len(task.ClassNames)
	for k, part := range parts {
		for i, y := range part.set.Labels {
			if as := part.best[i]; as != y {
				misses = append(misses, miss{k, i, part.scores[i*classes+as] - part.scores[i*classes+y]})
			}
		}
	}
	slices.SortStableFunc(misses, func(a, b miss) int { return cmp.Compare(b.margin, a.margin) })
	shown := map[[2]int]int{}
	for _, m := range misses {
		part := parts[m.part]
		mistake := [2]int{part.set.Labels[m.image], part.best[m.image]}
		if shown[mistake]++; shown[mistake] > mostAlike {
			continue
		}
		if len(p.Wrong) == mostWrong {
			break
		}
		small, err := thumbnailOf(part.images, m.image)
		if err != nil {
			return p, err
		}
		p.Wrong = append(p.Wrong, Picture{ID: part.images.ID(m.image), Class: task.ClassNames[part.set.Labels[m.image]], As: task.ClassNames[part.best[m.image]], PNG: small})
	}
	var err error
	p.Copies, err = copies(a.Data.Problems)
	return p, err
}

// copies returns the first pairs, those between training and test part before others.
func copies(problems []datasets.Problem) ([]Copy, error) {
	list := []Copy{}
	for _, kind := range []string{datasets.Leak, datasets.Duplicate} {
		for _, problem := range problems {
			if problem.Kind != kind || len(list) == mostCopies {
				continue
			}
			one, other, err := problem.Pictures()
			if err != nil {
				return nil, err
			}
			if one == nil { // of the same group, but another picture
				continue
			}
			c := Copy{ID: problem.Path, Of: problem.Of, Leak: kind == datasets.Leak}
			if c.PNG, err = shrink(one); err != nil {
				return nil, err
			}
			if c.OfPNG, err = shrink(other); err != nil {
				return nil, err
			}
			list = append(list, c)
		}
	}
	return list, nil
}

func thumbnailOf(images datasets.Images, i int) (string, error) {
	p, err := images.Image(i)
	if err != nil {
		return "", err
	}
	return shrink(p)
}

// shrink returns a thumbnail as the text of a data URI.
func shrink(p *picture.RGB) (string, error) {
	if longer := max(p.Width, p.Height); longer > thumbnail {
		p = picture.Resize(p, max(1, p.Width*thumbnail/longer), max(1, p.Height*thumbnail/longer))
	}
	var b bytes.Buffer
	if err := p.EncodePNG(&b); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}
