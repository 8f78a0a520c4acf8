package corrupt

import (
	"math"
	"testing"
)

// Of Python, with the formulas of IEC 61966-2-1.
func TestExposureMultipliesLight(t *testing.T) {
	p := gray(9, 1, 0)
	levels := []uint8{0, 1, 5, 10, 50, 100, 128, 200, 255}
	for i, v := range levels {
		for c := range 3 {
			p.Pix[3*i+c] = v
		}
	}
	for stops, want := range map[float64][]uint8{
		.4: {0, 1, 7, 13, 58, 114, 145, 226, 255},
		2:  {0, 4, 18, 29, 100, 189, 239, 255, 255},
		-1: {0, 1, 3, 5, 34, 71, 92, 146, 188},
		-4: {0, 0, 0, 1, 7, 22, 31, 53, 71},
		0:  levels,
	} {
		q := expose(p, stops)
		for i := range levels {
			if q.Pix[3*i] != want[i] || q.Pix[3*i+2] != want[i] {
				t.Errorf("%g stops: level %d becomes %d, want %d", stops, levels[i], q.Pix[3*i], want[i])
			}
		}
	}
}

// Of Python's colorsys, for the pixels of motley(4, 3).
func TestHueIsTurnedAsColorsysDoes(t *testing.T) {
	p := motley(4, 3)
	for degrees, want := range map[float64][]int{
		20: {0, 2, 54, 102, 118, 240, 40, 178, 52, 222, 62, 219, 140, 113, 18, 234, 221, 196,
			198, 199, 244, 32, 47, 162, 248, 92, 154, 78, 220, 167, 34, 215, 218, 116, 101, 70},
		-120: {20, 54, 0, 164, 240, 102, 178, 40, 74, 62, 222, 172, 72, 18, 140, 208, 196, 234,
			214, 244, 198, 90, 162, 32, 92, 206, 248, 220, 120, 78, 218, 160, 34, 86, 70, 116},
		180: {54, 34, 0, 240, 178, 102, 144, 40, 178, 112, 222, 62, 18, 86, 140, 196, 222, 234,
			244, 228, 198, 162, 104, 32, 92, 248, 134, 220, 78, 178, 218, 34, 92, 70, 100, 116},
	} {
		for i := 0; i < len(want); i += 3 {
			r, g, b := turn(float64(p.Pix[i]), float64(p.Pix[i+1]), float64(p.Pix[i+2]), degrees)
			for c, v := range []float64{r, g, b} {
				if math.Abs(v-float64(want[i+c])) > .5001 {
					t.Errorf("%g degrees, pixel %d, channel %d: %.3f, want %d", degrees, i/3, c, v, want[i+c])
				}
			}
		}
	}
	if q := apply(t, gray(4, 4, 77), Hue, 5, 0); distance(q, gray(4, 4, 77)) != 0 {
		t.Error("grey was given a colour")
	}
}

// Of numpy: mean + .3 (x - mean), for motley(3, 2).
func TestContrastMovesTowardsTheMean(t *testing.T) {
	want := []uint8{84, 88, 106, 115, 131, 162, 106, 136, 102, 136, 101, 156, 126, 104, 95, 154, 145, 149}
	q, err := contrast(motley(3, 2), .3, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if q.Pix[i] != want[i] {
			t.Errorf("sample %d: %d, want %d", i, q.Pix[i], want[i])
		}
	}
}

// Distances of the scene from what Pillow 13 makes of it with the same quality.
// The encoders round differently; the tables and colours at half resolution are
// the same.
func TestJPEGLosesAsMuchAsPillows(t *testing.T) {
	for side, want := range map[int][Severities]float64{
		32:  {12.897, 14.568, 15.188, 15.693, 16.964},
		224: {6.545, 7.537, 8.299, 10.352, 12.904},
	} {
		p := scene(side)
		for s := range Severities {
			if got := distance(p, apply(t, p, JPEG, s+1, 0)); math.Abs(got-want[s]) > .03*want[s] {
				t.Errorf("severity %d at %d pixels: %.3f levels lost, Pillow loses %.3f", s+1, side, got, want[s])
			}
		}
	}
}
