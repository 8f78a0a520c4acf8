package world_test

import (
	"fmt"

	"github.com/iimmkit/iimm/datasets/world"
)

func ExamplePair() {
	pix := make([]uint8, world.Bytes)
	for _, caption := range world.Pair(0, 3, pix) {
		fmt.Println(caption)
	}
	// Output:
	// there is a green shaded triangle on the left
	// a photo of one green triangle on a red background
	// a small green shaded triangle on a crimson background
}
