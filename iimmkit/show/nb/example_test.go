package nb_test

import (
	"fmt"

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
