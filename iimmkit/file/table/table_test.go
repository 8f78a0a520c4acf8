package table

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	var names []string
	var cells [][]string
	read := func(text string) error {
		names, cells = nil, nil
		return Parse([]byte(text), func(n []string) error { names = n; return nil }, func(c []string) error {
			if c[0] == "bad" {
				return errors.New("this is bad")
			}
			cells = append(cells, slices.Clone(c))
			return nil
		})
	}
	if err := read("\ufeffa,b\n1,\"x\ny\"\n2,\n"); err != nil || !slices.Equal(names, []string{"a", "b"}) || len(cells) != 2 || cells[0][1] != "x\ny" {
		t.Errorf("%q, %q, %v", names, cells, err)
	}
	for text, want := range map[string]string{
		"": "the file is empty", "a,b,a\n": `column "a" comes twice`, "a,b\n1\n": "line 2", "a\n1\n\"2\n3\"\nbad\n": "line 5: this is bad", "a\n\"": "line",
	} {
		if err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	refused := errors.New("not these columns")
	if err := Parse([]byte("a\n1\n"), func([]string) error { return refused }, nil); err != refused {
		t.Error(err)
	}
}
