package embedding

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

func TestCheckFinds(t *testing.T) {
	const d = golden.D
	for _, c := range []struct {
		name     string
		change   func(s *Set)
		severity Severity
		code     string
		message  string
		count    int
	}{
		{"NaN", func(s *Set) { s.Images.F64[7*d+3] = math.NaN() }, Refuse, "not_finite", "image row 7 (waves/0, the 7th.png) has NaN in column 3", 1},
		{"infinite", func(s *Set) { s.Images.F64[7*d+3] = math.Inf(-1) }, Refuse, "not_finite", "image row 7 (waves/0, the 7th.png) has an infinite value in column 3", 1},
		{"overflow", func(s *Set) { s.Images.F64[7*d+3] = 1e200 }, Refuse, "not_finite", "too large to have a norm", 1},
		{"NaN caption", func(s *Set) { s.Texts.F64[2*d] = math.NaN() }, Refuse, "not_finite", "caption row 2 (wave 2 <&> \"波\") has NaN in column 0", 1},
		{"zero", func(s *Set) { clear(s.Images.F64[5*d : 6*d]); clear(s.Images.F64[9*d : 10*d]) }, Refuse, "zero_vector", "image row 5 (waves/5, the 5th.png) is a zero vector, it has no direction (and 1 further rows)", 2},
		{"long rows", func(s *Set) { scale(s.Images.F64[5*d:7*d], 3) }, Refuse, "not_unit_norm", "2 of 120 image rows are not of unit norm (norms 1 to 3)", 2},
		{"long captions", func(s *Set) { scale(s.Texts.F64, 3) }, Refuse, "not_unit_norm", "6 of 6 caption rows", 6},
		{"loose norm", func(s *Set) { scale(s.Images.F64[5*d:7*d], 1.004) }, Warn, "loose_norm", "2 of 120 image rows are of unit norm only roughly", 2},
		{"label above", func(s *Set) { s.Labels[4], s.Labels[8] = 6, 99 }, Refuse, "label_range", "image row 4 (waves/4, the 4th.png) has label 6, but the 6 captions are of the classes 0..5 (and 1 further rows)", 2},
		{"label below", func(s *Set) { s.Labels[4] = -1 }, Refuse, "label_range", "image row 4 (waves/4, the 4th.png) has label -1", 1},
		{"one-based", func(s *Set) {
			for i := range s.Labels {
				s.Labels[i]++
			}
		}, Refuse, "label_range", "labels run from 1 to 6: they must start at 0", 20},
		{"label gap", func(s *Set) {
			for i, y := range s.Labels {
				if y == 3 {
					s.Labels[i] = 2
				}
			}
		}, Warn, "empty_class", `class 3 (wave 3`, 1},
		{"one image", func(s *Set) {
			for i, y := range s.Labels {
				if y == 3 && i > 10 {
					s.Labels[i] = 2
				}
			}
			s.Labels[9] = 2
			s.Labels[3] = 3
		}, Warn, "single_image_class", "class 3 (wave 3", 1},
		{"class names", func(s *Set) { s.ClassNames = s.ClassNames[:5] }, Refuse, "class_names", "5 class names for 6 captions", 0},
		{"prompts", func(s *Set) { s.Prompts = append(s.Prompts, "one more") }, Refuse, "prompts", "7 prompts for 6 captions", 0},
		{"same prompt", func(s *Set) { s.Prompts[4] = s.Prompts[1] }, Warn, "prompts", "classes 1 and 4 have the same prompts", 0},
		{"changed names", func(s *Set) { s.ClassNames[0] = "cat" }, Warn, "caption_hash", "not those whose hash was recorded", 0},
		{"duplicate", func(s *Set) { copy(s.Images.F64[70*d:71*d], s.Images.F64[3*d:4*d]) }, Warn, "duplicate_images", "image rows 3 (waves/3, the 3th.png) and 70 (waves/0, the 70th.png) are exactly equal", 1},
		{"duplicate caption", func(s *Set) { copy(s.Texts.F64[4*d:5*d], s.Texts.F64[:d]) }, Warn, "duplicate_captions", "the captions of classes 0 (wave 0", 1},
		{"doubled", func(s *Set) {
			copy(s.Images.F64[60*d:], s.Images.F64[:60*d])
			copy(s.Labels[60:], s.Labels[:60])
			copy(s.IDs[60:], s.IDs[:60])
		}, Refuse, "doubled", "keep the first 60 rows", 60},
		{"thrice", func(s *Set) {
			for k := 1; k < 3; k++ {
				copy(s.Images.F64[k*40*d:], s.Images.F64[:40*d])
				copy(s.Labels[k*40:], s.Labels[:40])
				s.IDs = nil
			}
		}, Refuse, "doubled", "image rows 0..39 are there 3 times", 80},
		{"doubled captions", func(s *Set) {
			copy(s.Texts.F64[3*d:], s.Texts.F64[:3*d])
			s.ClassNames, s.Prompts = nil, nil
		}, Refuse, "doubled", "caption rows 0..2 are there 2 times", 3},
		{"collapsed captions", func(s *Set) {
			copy(s.Texts.F64[3*d:], s.Texts.F64[:3*d])
		}, Warn, "duplicate_captions", "have exactly equal embeddings (and 2 further repeats)", 3},
		{"collapsed images", func(s *Set) {
			for i := range s.Labels {
				copy(s.Images.F64[i*d:], s.Images.F64[:d])
			}
		}, Warn, "duplicate_images", "are exactly equal (and 118 further repeats)", 119},
		{"sizes", func(s *Set) { s.Labels = s.Labels[1:] }, Refuse, "shape", "119 labels for 120 images", 0},
		{"one row", func(s *Set) {
			s.Images = Float64(1, d, s.Images.F64[:d])
			s.Labels, s.IDs = s.Labels[:1], nil
		}, Refuse, "too_few_images", "at least 2 images", 0},
		{"one class", func(s *Set) {
			s.Texts = Float64(1, d, s.Texts.F64[:d])
			s.ClassNames, s.Prompts = nil, nil
			clear(s.Labels)
		}, Refuse, "too_few_classes", "at least 2 classes", 0},
	} {
		for _, single := range []bool{false, true} {
			if single && c.name == "overflow" {
				continue // becomes infinite
			}
			s := goldenSet(golden.Easy())
			c.change(s)
			if single {
				s.Images = Float32(s.Images.Rows, s.Images.Cols, s.Images.Float32s())
				s.Texts = Float32(s.Texts.Rows, s.Texts.Cols, s.Texts.Float32s())
			}
			var hit *Finding
			found := s.Check()
			for i, f := range found {
				if f.Code == c.code {
					hit = &found[i]
				} else if f.Severity == Refuse && c.severity == Warn {
					t.Errorf("%s: also %v", c.name, f)
				}
			}
			if hit == nil || hit.Severity != c.severity || !strings.Contains(hit.Message, c.message) || hit.Count != c.count || strings.Contains(hit.Message, "\n") {
				t.Errorf("%s (float32 %v): %+v, want %s %s %q", c.name, single, found, c.severity, c.code, c.message)
			}
			if refused := len(Refused(found)) > 0; refused != (c.severity == Refuse) {
				t.Errorf("%s: refused %v", c.name, refused)
			}
		}
	}
}

func scale(x []float64, by float64) {
	for i := range x {
		x[i] *= by
	}
}

func TestCheckOfRowsToBeNormalized(t *testing.T) {
	s := goldenSet(golden.Easy())
	scale(s.Images.F64, 17)
	if found := s.Check(WillNormalize()); len(found) != 0 {
		t.Errorf("%v", found)
	}
	r, err := s.Measure(MeasureOptions{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, "scaled by 17", r, golden.Easy().Values, 1e-12)
	clear(s.Images.F64[:golden.D])
	if found := Refused(s.Check(WillNormalize())); len(found) != 1 || found[0].Code != "zero_vector" {
		t.Errorf("zero vector: %v", found)
	}
}

// Rows that differ in one bit are not duplicates, wherever it is; one-hot rows
// have equal norms and mostly equal entries.
func TestFingerprintsTellRowsApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, d := range []int{1, 3, 4, 7, 64, 130} {
		seen := map[uint64]bool{}
		one := make([]float64, d)
		for j := range d {
			one[j] = 1
			_, h := fingerprint(one)
			one[j] = 0
			if seen[h] {
				t.Errorf("width %d: one-hot rows have one fingerprint", d)
			}
			seen[h] = true
		}
		row := make([]float32, d)
		for j := range row {
			row[j] = rng.Float32()
		}
		q, h := fingerprint(row)
		want := 0.0
		for _, v := range row {
			want += float64(v) * float64(v)
		}
		if math.Abs(q-want) > 1e-12 {
			t.Errorf("width %d: squared norm %v, want %v", d, q, want)
		}
		for j := range row {
			kept := row[j]
			row[j] = math.Nextafter32(kept, 2)
			if _, other := fingerprint(row); other == h {
				t.Errorf("width %d: changing the last bit of entry %d is not seen", d, j)
			}
			row[j] = kept
		}
	}
}

func TestManyRowsExaminedInParallelAgree(t *testing.T) {
	const n, d = 5000, 6
	rng := rand.New(rand.NewPCG(4, 4))
	x := make([]float32, n*d)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	e := Float32(n, d, x).examine()
	for i := range n {
		if q, h := fingerprint(x[i*d : (i+1)*d]); q != e.q[i] || h != e.hash[i] {
			t.Fatalf("row %d: %v %v, alone %v %v", i, e.q[i], e.hash[i], q, h)
		}
	}
}
