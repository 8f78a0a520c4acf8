package datasets

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTemplatesMakeCaptionsAndEnsembles(t *testing.T) {
	task := &Task{Name: "folder:parts", ClassNames: []string{"rolled-in_scale", "pitted"}, Captions: []string{"x", "y"}, Hash: "h"}
	one, err := task.WithTemplates([]string{"steel with {class}"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one.Captions, []string{"steel with rolled in scale", "steel with pitted"}) || one.Ensemble != nil {
		t.Errorf("%q %q", one.Captions, one.Ensemble)
	}
	two, err := task.WithTemplates([]string{"steel with {class}", "a {c}."})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(two.Captions, one.Captions) || len(two.Ensemble) != 2 || !slices.Equal(two.Ensemble[1], []string{"steel with pitted", "a pitted."}) {
		t.Errorf("%q %q", two.Captions, two.Ensemble)
	}
	if task.Hash != "h" || one.Hash == two.Hash || one.Hash == task.Hash {
		t.Errorf("hashes %q, %q, %q", task.Hash, one.Hash, two.Hash)
	}
	for _, bad := range [][]string{nil, {"no place"}, {"{class}", "none"}} {
		if _, err := task.WithTemplates(bad); err == nil {
			t.Errorf("templates %q were taken", bad)
		}
	}
}

func TestTemplatesAreReadByLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zeroshot_classification_templates.txt")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("\ufeffa photo of a {c}.\r\n\n a blurry photo of a {class}.\n")
	got, err := ReadTemplates(path)
	if err != nil || !slices.Equal(got, []string{"a photo of a {c}.", "a blurry photo of a {class}."}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "\n\n", "a photo of a {c}\nnothing\n"} {
		write(bad)
		if _, err := ReadTemplates(path); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
