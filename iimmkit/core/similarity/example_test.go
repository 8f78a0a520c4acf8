package similarity_test

import (
	"context"
	"fmt"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/core/similarity"
)

// Three images of two classes, as points on a circle, and the captions of the
// classes.
func Example() {
	images := []float32{1, 0, 0.8, 0.6, 0, 1}
	labels := []int{0, 0, 1}
	texts := []float32{0.6, -0.8, -0.8, 0.6}

	b, err := backend.Open("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Finalize()
	t, err := similarity.New(b, images, labels, texts, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()

	ctx := context.Background()
	err = t.ImageText(ctx, func(row0 int, block []float32) error {
		fmt.Printf("image-text %.2f\n", block)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	means, err := t.ClassMeans(ctx)
	fmt.Printf("class means %.2f %v\n", means, err)
	r, err := t.IIMM(ctx)
	fmt.Printf("IIMM %.3f, inter %.3f, intra %.3f %v\n", r.IIMM, r.Inter, r.Intra, err)
	// Output:
	// image-text [0.60 -0.80 0.00 -0.28 -0.80 0.60]
	// class means [[0.80 0.30] [0.30 NaN]] <nil>
	// IIMM -0.080, inter -0.627, intra 0.467 <nil>
}
