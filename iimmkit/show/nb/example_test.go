package nb_test

import (
	"fmt"
	"os"

	"github.com/iimmkit/iimm/iimmkit/show/nb"
)

// In a notebook this is an HTML table; in a plain program, text.
func ExampleTable() {
	var undefined *float64
	nb.Table([]string{"task", "gain", "forgetting"}, [][]any{
		{"world/shape", 5.25, 3.4},
		{"mnist", 48.5, undefined},
	})
	// Output:
	// task          gain  forgetting
	// -----------  -----  ----------
	// world/shape   5.25       3.400
	// mnist        48.50           –
}

// A parameter has the type of its default.
func ExampleParam() {
	fmt.Println(nb.Param("images", 400), nb.Param("task", "world/shape"))
	// Output: 400 world/shape
}

// What takes long is made once; the cells after it, and the next session, get it
// from the disk.
func ExampleCache() {
	os.Setenv("IIMM_CACHE", must(os.MkdirTemp("", "cells")))
	defer os.RemoveAll(os.Getenv("IIMM_CACHE"))
	slow := func() (float64, error) {
		fmt.Println("measuring")
		return 0.25, nil
	}
	fmt.Println(nb.Cache("iimm", slow, "micro", "world/shape"))
	fmt.Println(nb.Cache("iimm", slow, "micro", "mnist")) // depends on something else
	// Output:
	// measuring
	// 0.25
	// measuring
	// 0.25
}

func must(dir string, err error) string {
	if err != nil {
		panic(err)
	}
	return dir
}
