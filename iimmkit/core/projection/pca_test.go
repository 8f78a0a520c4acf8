package projection

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// rows returns the 9 x 4 matrix that the reference values were made from.
func rows() []float32 {
	var x []float32
	for i := range 9 {
		for j := range 4 {
			v := float64((i*7+j*3)%11)/8 - .125*float64(j)
			if j == 1 {
				v += .25 * float64(i)
			}
			x = append(x, float32(v))
		}
	}
	return x
}

// Reference: sklearn.decomposition.PCA(3), scikit-learn 1.9.1, numpy 2.4.6,
// signs turned so that the largest loading is positive.
func TestPCAEqualsScikitLearn(t *testing.T) {
	wantExplained := []float64{0.5458034931159736, 0.23679083335164824, 0.1573276690206017}
	want := []float64{
		-1.3820583613358293, -0.2356719612119001, 0.39242069845734606,
		-0.055789195061889396, 0.4020163011625187, -0.1640406201982852,
		-0.4484627730116302, -0.5882881063711909, -0.4734663868950635,
		-0.6745073840516623, 0.6722014096202493, -0.043166119492405286,
		0.5856969049344563, 0.2577261207147854, -0.11416097269395112,
		0.19302332698471547, -0.7325782868189243, -0.4235867393907294,
		-0.03302128405531679, 0.5279112291725159, 0.006713528011928815,
		1.227183004930802, 0.11343594026705195, -0.06428132518961704,
		0.5879357606663538, -0.4167526465351057, 0.8835679373907763,
	}
	x := rows()
	before := slices.Clone(x)
	coords, explained, err := PCA(x, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, before) {
		t.Error("the input was changed")
	}
	for i := range want {
		if math.Abs(coords[i]-want[i]) > 1e-10 {
			t.Errorf("coords[%d] = %v, want %v", i, coords[i], want[i])
		}
	}
	for i := range wantExplained {
		if math.Abs(explained[i]-wantExplained[i]) > 1e-12 {
			t.Errorf("explained[%d] = %v, want %v", i, explained[i], wantExplained[i])
		}
	}
}

// With all axes the map is a rotation: distances are kept, shares add to one.
func TestAllAxesKeepDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, d = 1100, 6 // more than two blocks
	x := make([]float32, n*d)
	for i := range x {
		x[i] = float32(r.NormFloat64() * float64(1+i%d))
	}
	coords, explained, err := PCA(x, d, d)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for a, e := range explained {
		sum += e
		if a > 0 && e > explained[a-1] {
			t.Errorf("share %d grows", a)
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("shares add to %v", sum)
	}
	for _, p := range [][2]int{{0, 1}, {5, 700}, {1099, 3}} {
		var a, b float64
		for j := range d {
			a += math.Pow(float64(x[p[0]*d+j])-float64(x[p[1]*d+j]), 2)
			b += math.Pow(coords[p[0]*d+j]-coords[p[1]*d+j], 2)
		}
		if math.Abs(a-b) > 1e-8*a {
			t.Errorf("squared distance of rows %v: %v, after %v", p, a, b)
		}
	}
}

func TestFewerRowsThanColumns(t *testing.T) {
	coords, explained, err := PCA([]float32{1, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(explained[0]-1) > 1e-12 || explained[1] > 1e-12 {
		t.Errorf("two points span one axis, got %v", explained)
	}
	if math.Abs(math.Abs(coords[0]-coords[3])-math.Sqrt2) > 1e-12 {
		t.Errorf("distance %v, want %v", coords[0]-coords[3], math.Sqrt2)
	}
}

// Wide rows are iterated, narrow ones decomposed: both give the same axes.
func TestIterationEqualsTheCompleteDecomposition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, decay := range map[string]float64{"decaying": .97, "nearly equal": .9995} {
		const d = 200
		cov := mat.NewSymDense(d, nil)
		row := mat.NewVecDense(d, nil)
		for range 400 {
			for j := range d {
				row.SetVec(j, r.NormFloat64()*math.Pow(decay, float64(j)))
			}
			cov.SymRankOne(cov, 1, row)
		}
		want, full, err := decompose(cov)
		if err != nil {
			t.Fatal(err)
		}
		got, axes, err := topAxes(cov, 3)
		if err != nil {
			t.Fatal(err)
		}
		for a := range 3 {
			if math.Abs(got[a]-want[a]) > 1e-9*want[0] {
				t.Errorf("%s: eigenvalue %d is %v, want %v", name, a, got[a], want[a])
			}
			dot := 0.0
			for j := range d {
				dot += axes.At(j, a) * full.At(j, a)
			}
			if math.Abs(math.Abs(dot)-1) > 1e-9 {
				t.Errorf("%s: axis %d: |cosine| is %v", name, a, math.Abs(dot))
			}
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		x    []float32
		d, k int
	}{
		"ragged": {[]float32{1, 2, 3}, 2, 1}, "one row": {[]float32{1, 2}, 2, 1}, "no width": {nil, 0, 1}, "no axes": {rows(), 4, 0},
		"too many axes": {rows(), 4, 5}, "NaN": {[]float32{1, 2, nan, 4}, 2, 1}, "equal rows": {[]float32{1, 2, 1, 2}, 2, 1},
	} {
		if _, _, err := PCA(c.x, c.d, c.k); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkPCA(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, 1800*512)
	for i := range x {
		x[i] = r.Float32() * float32(math.Pow(.99, float64(i%512)))
	}
	for b.Loop() {
		if _, _, err := PCA(x, 512, 2); err != nil {
			b.Fatal(err)
		}
	}
}
