package datasets

import (
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

func TestSheetHasARowForEachClass(t *testing.T) {
	task, err := Load("world/position", LoadOptions{NTrain: 60, NTest: 10})
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := Sheet(task, SheetOptions{PerClass: 3, Cell: 64})
	if err != nil {
		t.Fatal(err)
	}
	if want := 5 * 66; sheet.Height != want {
		t.Errorf("height %d, want %d", sheet.Height, want)
	}
	// The first picture of class 2 stands, each pixel doubled, at the beginning of row 2.
	for i := range task.Train.Len() {
		if task.Train.Label(i) != 2 {
			continue
		}
		p, _ := task.Train.Image(i)
		x0 := sheet.Width - 3*66
		for y := range 64 {
			for x := range 64 {
				for k := range 3 {
					if got, want := sheet.Pix[3*((2*66+y)*sheet.Width+x0+x)+k], p.Pix[3*(y/2*32+x/2)+k]; got != want {
						t.Fatalf("pixel %d,%d is %d, want %d", x, y, got, want)
					}
				}
			}
		}
		break
	}
	dark := false // the label is written before the row
	for x := range sheet.Width - 3*66 {
		for y := range 64 {
			dark = dark || sheet.Pix[3*(y*sheet.Width+x)] < 100
		}
	}
	if !dark {
		t.Error("no class name on the sheet")
	}
	task.Test = nil
	for _, opt := range []SheetOptions{{Split: "test"}, {PerClass: 1 << 20}, {Cell: 2}} {
		if _, err := Sheet(task, opt); err == nil {
			t.Errorf("%+v was accepted", opt)
		}
	}
}

func TestFitKeepsProportions(t *testing.T) {
	for _, tt := range []struct{ w, h, cell, wantW, wantH int }{
		{28, 28, 64, 56, 56}, {640, 426, 64, 64, 43}, {3, 500, 64, 1, 64}, {100, 50, 64, 64, 32},
	} {
		if p := fit(picture.New(tt.w, tt.h), tt.cell); p.Width != tt.wantW || p.Height != tt.wantH {
			t.Errorf("%d x %d becomes %d x %d, want %d x %d", tt.w, tt.h, p.Width, p.Height, tt.wantW, tt.wantH)
		}
	}
}
