package finetune

import (
	"errors"
	"fmt"
	"math"

	"github.com/iimmkit/iimm/iimmkit/core/evaluate"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

// Data is the training part of a task. Validation images are taken out of it,
// so they are never the task's test images.
type Data struct {
	Pixels []float32 // [n, 3, size, size], as Encoder.Preprocess returns them
	Labels []int     // [n], in 0..classes-1
	Tokens []int32   // [classes, context], as Encoder.Tokenize returns them
	// Features are the encoder's unnormalised image features [n, d] of Pixels,
	// for methods that do not move the towers. nil: they are computed.
	Features []float32
}

// classes checks the data and returns the number of classes.
func (d Data) classes(c encoder.Config) (int, error) {
	n, width := len(d.Labels), 3*c.ImageSize*c.ImageSize
	classes := len(d.Tokens) / c.ContextLength
	switch {
	case n == 0:
		return 0, errors.New("no training images")
	case len(d.Pixels) != n*width && !(d.Pixels == nil && d.Features != nil):
		return 0, fmt.Errorf("%d pixel values are not those of %d images of 3x%dx%d", len(d.Pixels), n, c.ImageSize, c.ImageSize)
	case d.Features != nil && len(d.Features) != n*c.EmbedDim:
		return 0, fmt.Errorf("%d feature values are not those of %d images of width %d", len(d.Features), n, c.EmbedDim)
	case len(d.Tokens) != classes*c.ContextLength:
		return 0, fmt.Errorf("%d token ids are not rows of %d", len(d.Tokens), c.ContextLength)
	case classes < 2:
		return 0, fmt.Errorf("%d class: tuning needs at least 2", classes)
	}
	for i, y := range d.Labels {
		if y < 0 || y >= classes {
			return 0, fmt.Errorf("training image %d has class %d: must be in 0..%d", i, y, classes-1)
		}
	}
	for i, id := range d.Tokens {
		if id < 0 || int(id) >= c.VocabSize {
			return 0, fmt.Errorf("token id %d of caption %d is not in the vocabulary of %d", id, i/c.ContextLength, c.VocabSize)
		}
	}
	return classes, nil
}

// mostValidated bounds the validation images, as the paper does.
const mostValidated = 5000

// split deals the images 0..n-1 into those to train on and those to validate
// on: one of every 1/share images of a class, by seed. A share of 0 holds out none.
func split(labels []int, classes int, share float64, seed int) (training, validation []int, err error) {
	if share == 0 {
		training = make([]int, len(labels))
		for i := range training {
			training[i] = i
		}
		return training, nil, nil
	}
	folds := max(int(math.Round(1/share)), (len(labels)+mostValidated-1)/mostValidated)
	for i, f := range evaluate.Folds(labels, classes, folds, uint64(seed)) {
		if f == 0 {
			validation = append(validation, i)
		} else {
			training = append(training, i)
		}
	}
	if len(training) == 0 || len(validation) == 0 {
		return nil, nil, fmt.Errorf("of %d training images, a share of %g leaves none to validate or to train on", len(labels), share)
	}
	return training, validation, nil
}
