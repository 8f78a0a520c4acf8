package datasets

import (
	"bytes"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets/corrupt"
)

func TestCorruptedImagesHaveNoiseOfTheirOwn(t *testing.T) {
	task, err := Load("world/shape", LoadOptions{NTrain: 1, NTest: 6})
	if err != nil {
		t.Fatal(err)
	}
	p, err := task.Test.Image(2)
	if err != nil {
		t.Fatal(err)
	}
	same := Subset(task.Test, []int{2, 2, 3})
	images, err := Corrupted(same, corrupt.GaussianNoise, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	if images.Len() != 3 || images.Label(2) != task.Test.Label(3) || images.ID(0) != task.Test.ID(2)+" (gaussian-noise 3)" {
		t.Errorf("%d images, label %d, id %s", images.Len(), images.Label(2), images.ID(0))
	}
	pix := func(images Images, i int) []byte {
		t.Helper()
		m, err := images.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		return m.Pix
	}
	if bytes.Equal(pix(images, 0), pix(images, 1)) {
		t.Error("two images have the same noise")
	}
	if !bytes.Equal(pix(images, 0), pix(images, 0)) {
		t.Error("an image is not the same when it is asked for again")
	}
	other, err := Corrupted(same, corrupt.GaussianNoise, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(pix(images, 0), pix(other, 0)) {
		t.Error("another seed gives the same noise")
	}
	if q, _ := task.Test.Image(2); !bytes.Equal(q.Pix, p.Pix) {
		t.Error("the images themselves were changed")
	}
	if _, err := Corrupted(same, "fog", 3, 0); err == nil || !strings.Contains(err.Error(), "no corruption") {
		t.Errorf("error %v", err)
	}
	all, err := Corrupted(task.Train, corrupt.Hue, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Image(1); err == nil {
		t.Error("an image that is not there was corrupted")
	}
}

func TestCorruptionSheetHasTheKindsInRows(t *testing.T) {
	task, err := Load("world/shape", LoadOptions{NTrain: 1, NTest: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := task.Test.Image(0)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := CorruptionSheet(p, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	const cell = 34
	if sheet.Height != len(corrupt.Kinds())*cell {
		t.Fatalf("height %d", sheet.Height)
	}
	left := sheet.Width - (1+corrupt.Severities)*cell
	for k, kind := range corrupt.Kinds() {
		for severity := range corrupt.Severities + 1 {
			want := p
			if severity > 0 {
				if want, err = corrupt.Apply(p, kind, severity, 0); err != nil {
					t.Fatal(err)
				}
			}
			for y := range 32 {
				from := 3 * ((k*cell+y)*sheet.Width + left + severity*cell)
				if !bytes.Equal(sheet.Pix[from:from+96], want.Pix[96*y:96*(y+1)]) {
					t.Fatalf("%s %d is not at its place", kind, severity)
				}
			}
		}
	}
}
