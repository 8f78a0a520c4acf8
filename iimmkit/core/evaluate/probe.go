package evaluate

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Probe is a linear classifier on frozen embeddings: multinomial logistic
// regression with an L2 penalty,
//
//	score_c(x) = w_c . (x - Mean) / Scale + b_c,
//
// where W and b minimise  sum_i -log softmax(score(x_i))[y_i] + l2/2 |W|^2.
// The intercepts carry no penalty and have mean zero. l2 is 1/C of
// scikit-learn's LogisticRegression.
type Probe struct {
	D, Classes int
	// Present lists, in order, the classes that had training images. Only these can be predicted.
	Present []int
	// Mean and Scale [D] standardise the features: mean and standard deviation of
	// the training images, Scale 1 where a feature does not vary.
	Mean, Scale []float64
	// Weight [len(Present), D] acts on standardised features; Bias [len(Present)].
	Weight, Bias []float64
	// L2 is the penalty of the fit, Loss its summed cross-entropy on the training images, without the penalty.
	L2, Loss float64
	// Steps is the number of optimiser steps taken.
	Steps int
}

// FitProbe fits a probe to features x [N,d], row-major, with labels [N] in
// 0..classes-1, to convergence. The features are standardised first. l2 must be
// positive: without a penalty separable classes have no finite solution. At
// least two classes must have images.
func FitProbe(x []float32, d int, labels []int, classes int, l2 float64) (*Probe, error) {
	n, err := rows("features", len(x), d)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(labels, n, classes); err != nil {
		return nil, err
	}
	if err := finite("features", x, d); err != nil {
		return nil, err
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	p, err := newProblem(x, d, labels, classes, all)
	if err != nil {
		return nil, err
	}
	s, err := p.solve(l2, nil, exact)
	if err != nil {
		return nil, err
	}
	return p.probe(s), nil
}

// Scores returns the scores [N,Classes] of features x [N,D]; a class without
// training images scores -Inf.
func (p *Probe) Scores(x []float32) ([]float64, error) {
	n, err := rows("features", len(x), p.D)
	if err != nil {
		return nil, err
	}
	if err := finite("features", x, p.D); err != nil {
		return nil, err
	}
	scores := make([]float64, n*p.Classes)
	inBlocks(n, func(from, to int) {
		z := make([]float64, p.D)
		for i := from; i < to; i++ {
			p.score(scores[i*p.Classes:(i+1)*p.Classes], x[i*p.D:(i+1)*p.D], z)
		}
	})
	return scores, nil
}

// score writes the scores of one image to out [Classes]; z [D] is scratch.
func (p *Probe) score(out []float64, x []float32, z []float64) {
	for j, v := range x {
		z[j] = (float64(v) - p.Mean[j]) / p.Scale[j]
	}
	for c := range out {
		out[c] = math.Inf(-1)
	}
	for k, c := range p.Present {
		s := p.Bias[k]
		for j, w := range p.Weight[k*p.D : (k+1)*p.D] {
			s += w * z[j]
		}
		out[c] = s
	}
}

// Predict returns the most probable class of each row of x [N,D].
func (p *Probe) Predict(x []float32) ([]int, error) {
	scores, err := p.Scores(x)
	if err != nil {
		return nil, err
	}
	predicted := make([]int, len(scores)/p.Classes)
	for i := range predicted {
		predicted[i] = argmax(scores[i*p.Classes : (i+1)*p.Classes])
	}
	return predicted, nil
}

// Accuracy classifies x [N,D] and compares with labels [N].
func (p *Probe) Accuracy(x []float32, labels []int) (*Accuracy, error) {
	scores, err := p.Scores(x)
	if err != nil {
		return nil, err
	}
	return FromScores(scores, labels, p.Classes)
}

func argmax(v []float64) int {
	best := 0
	for c, s := range v {
		if s > v[best] {
			best = c
		}
	}
	return best
}

// problem is the training data of a probe in the form in which the fit converges
// fast: standardised and rotated to principal axes. A rotation leaves the
// penalty as it is, and on principal axes the Hessian at the start is diagonal
// up to a factor that all axes share.
type problem struct {
	n, d, classes int
	present       []int
	mean, scale   []float64
	rotation      *mat.Dense // [d,d], columns are principal axes
	variance      []float64  // [d], along the principal axes
	x             []float64  // [n,d+1], last column 1 for the intercept
	y             []int      // [n], index into present
}

// newProblem prepares the rows of x listed in use. x is finite and labels are in range.
func newProblem(x []float32, d int, labels []int, classes int, use []int) (*problem, error) {
	p := &problem{n: len(use), d: d, classes: classes, mean: make([]float64, d), scale: make([]float64, d)}
	index := make([]int, classes)
	for _, i := range use {
		index[labels[i]] = 1
	}
	for c, has := range index {
		if has == 1 {
			index[c] = len(p.present)
			p.present = append(p.present, c)
		}
	}
	if len(p.present) < 2 {
		return nil, fmt.Errorf("probe: %d class has training images: fitting needs at least 2", len(p.present))
	}
	z := make([]float64, p.n*d)
	for r, i := range use {
		p.y = append(p.y, index[labels[i]])
		for j, v := range x[i*d : (i+1)*d] {
			z[r*d+j] = float64(v)
		}
	}
	p.standardise(z)
	if err := p.rotate(z); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *problem) standardise(z []float64) {
	n, d := p.n, p.d
	square := make([]float64, d)
	for i := range n {
		for j, v := range z[i*d : (i+1)*d] {
			p.mean[j] += v / float64(n)
		}
	}
	for i := range n {
		for j, v := range z[i*d : (i+1)*d] {
			square[j] += (v - p.mean[j]) * (v - p.mean[j]) / float64(n)
		}
	}
	for j := range d {
		p.scale[j] = math.Sqrt(square[j])
		// Rounding of the mean leaves a constant feature a spread of this order, which must not be blown up.
		if p.scale[j] <= 1e-12*math.Abs(p.mean[j]) {
			p.scale[j] = 1
		}
	}
	for i := range n {
		for j := range d {
			z[i*d+j] = (z[i*d+j] - p.mean[j]) / p.scale[j]
		}
	}
}

func (p *problem) rotate(z []float64) error {
	n, d := p.n, p.d
	features := blas64.General{Rows: n, Cols: d, Stride: d, Data: z}
	covariance := mat.NewSymDense(d, nil)
	blas64.Syrk(blas.Trans, 1/float64(n), features, 0, covariance.RawSymmetric())
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return errors.New("probe: the principal axes of the features could not be computed")
	}
	p.rotation = &mat.Dense{}
	eigen.VectorsTo(p.rotation)
	p.variance = eigen.Values(nil)
	p.x = make([]float64, n*(d+1))
	rotated := blas64.General{Rows: n, Cols: d, Stride: d + 1, Data: p.x}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, features, p.rotation.RawMatrix(), 0, rotated)
	for i := range n {
		p.x[i*(d+1)+d] = 1
	}
	return nil
}

// Tolerances of a fit: the gradient's largest component in scaled variables, per
// square root of an image. In these variables the Hessian is of order one, so
// that a fit within closeEnough is that near its optimum in the units of its own
// standard errors: far below what moves a prediction.
const (
	exact       = 1e-7
	closeEnough = 1e-4
)

// solution holds weights on principal axes and intercepts, [d+1, classes present].
type solution struct {
	theta    []float64
	l2, loss float64
	steps    int
}

// solve minimises the penalised loss by L-BFGS. Its variables are the weights on
// principal axes and the intercepts, each axis scaled by the square root of the
// Hessian's diagonal at uniform predictions. start, when not nil, is a solution
// of the same problem to begin from.
func (p *problem) solve(l2 float64, start *solution, tolerance float64) (*solution, error) {
	if !(l2 > 0) || math.IsInf(l2, 1) {
		return nil, fmt.Errorf("probe: penalty %v: must be positive and finite", l2)
	}
	c := len(p.present)
	size := (p.d + 1) * c
	unit := make([]float64, p.d+1)
	for j := range unit {
		h := float64(p.n) / float64(c)
		if j < p.d {
			h = h*max(p.variance[j], 0) + l2
		}
		unit[j] = 1 / math.Sqrt(h)
	}
	theta := make([]float64, size)
	o := &objective{problem: p, l2: l2, unit: unit, theta: theta, residual: make([]float64, p.n*c)}
	begin := make([]float64, size)
	if start != nil {
		for k, v := range start.theta {
			begin[k] = v / unit[k/c]
		}
	}
	result, err := optimize.Minimize(
		optimize.Problem{Func: o.value, Grad: o.gradient},
		begin,
		&optimize.Settings{
			GradientThreshold: tolerance * math.Sqrt(float64(p.n)),
			Converger:         &optimize.FunctionConverge{Relative: 1e-13, Iterations: 3},
			MajorIterations:   2000,
		},
		&optimize.LBFGS{Store: 12})
	// Near the optimum of a large sum the line search can run into rounding: the
	// point reached is then as good as float64 gives.
	if result == nil || err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) {
		return nil, fmt.Errorf("probe: fit with penalty %v: %w", l2, err)
	}
	o.at(result.X)
	return &solution{theta: theta, l2: l2, loss: o.loss, steps: result.MajorIterations}, nil
}

// probe turns a solution on principal axes into one on standardised features.
func (p *problem) probe(s *solution) *Probe {
	d, c := p.d, len(p.present)
	out := &Probe{
		D: d, Classes: p.classes, Present: p.present, Mean: p.mean, Scale: p.scale,
		Weight: make([]float64, c*d), Bias: make([]float64, c), L2: s.l2, Loss: s.loss, Steps: s.steps,
	}
	rotated := blas64.General{Rows: d, Cols: c, Stride: c, Data: s.theta[:d*c]}
	weight := blas64.General{Rows: c, Cols: d, Stride: d, Data: out.Weight}
	blas64.Gemm(blas.Trans, blas.Trans, 1, rotated, p.rotation.RawMatrix(), 0, weight)
	mean := 0.0
	for k := range c {
		mean += s.theta[d*c+k] / float64(c)
	}
	for k := range c {
		out.Bias[k] = s.theta[d*c+k] - mean
	}
	return out
}

// objective is the penalised loss as the optimiser sees it. The optimiser asks
// for value and gradient at the same point one after the other; both come from
// one pass, kept until the point changes.
type objective struct {
	*problem
	l2       float64
	unit     []float64 // [d+1] length of one step of the optimiser along each axis
	theta    []float64 // [d+1, c]
	residual []float64 // [n, c] softmax minus indicator
	last     []float64
	loss     float64
	total    float64
}

func (o *objective) at(v []float64) {
	if o.last != nil && equal(o.last, v) {
		return
	}
	o.last = append(o.last[:0], v...)
	c := len(o.present)
	penalty := 0.0
	for k := range v {
		o.theta[k] = v[k] * o.unit[k/c]
		if k < o.d*c {
			penalty += o.theta[k] * o.theta[k]
		}
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, o.features(), o.parameters(o.theta), 0, o.residuals())
	o.loss = 0
	for i, y := range o.y {
		row := o.residual[i*c : (i+1)*c]
		top := row[argmax(row)]
		own, sum := row[y], 0.0
		for k, s := range row {
			row[k] = math.Exp(s - top)
			sum += row[k]
		}
		o.loss += math.Log(sum) + top - own
		for k := range row {
			row[k] /= sum
		}
		row[y]--
	}
	o.total = o.loss + o.l2/2*penalty
}

func (o *objective) value(v []float64) float64 {
	o.at(v)
	return o.total
}

func (o *objective) gradient(g, v []float64) {
	o.at(v)
	c := len(o.present)
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, o.features(), o.residuals(), 0, o.parameters(g))
	for k := range g {
		if k < o.d*c {
			g[k] += o.l2 * o.theta[k]
		}
		g[k] *= o.unit[k/c]
	}
}

func (o *objective) features() blas64.General {
	return blas64.General{Rows: o.n, Cols: o.d + 1, Stride: o.d + 1, Data: o.x}
}

func (o *objective) residuals() blas64.General {
	c := len(o.present)
	return blas64.General{Rows: o.n, Cols: c, Stride: c, Data: o.residual}
}

func (o *objective) parameters(data []float64) blas64.General {
	c := len(o.present)
	return blas64.General{Rows: o.d + 1, Cols: c, Stride: c, Data: data}
}

func equal(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
