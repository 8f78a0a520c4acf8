package finetune_test

import (
	"fmt"
	"log"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

// What each method moves of the shipped model, for a task of ten classes.
func Example() {
	b, err := backend.Open("go")
	if err != nil {
		log.Fatal(err)
	}
	e, err := encoder.Open(b, "micro")
	if err != nil {
		log.Fatal(err)
	}
	for _, method := range finetune.Methods() {
		tuner, err := finetune.New(e, method, finetune.Defaults())
		if err != nil {
			log.Fatal(err)
		}
		moved := tuner.Parameters(10)
		fmt.Printf("%s: %d tensors, %d values; other tasks affected: %v\n", method, len(moved), finetune.Count(moved), tuner.Method().Forgets)
	}
	// Output:
	// full: 85 tensors, 594112 values; other tasks affected: true
	// bitfit: 36 tensors, 5632 values; other tasks affected: true
	// attention: 6 tensors, 135168 values; other tasks affected: true
	// lora: 24 tensors, 16384 values; other tasks affected: true
	// adapter: 4 tensors, 4096 values; other tasks affected: true
	// probe: 2 tensors, 650 values; other tasks affected: false
}
