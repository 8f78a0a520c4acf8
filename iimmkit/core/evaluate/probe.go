package evaluate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/optimize"

	"github.com/iimmkit/iimm/iimmkit/core/matmul"
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
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	scores := make([]float64, n*p.Classes)
	p.score(scores, x, all)
	return scores, nil
}

// score writes the scores of the images of x listed in use to their rows of out
// [N,Classes].
func (p *Probe) score(out []float64, x []float32, use []int) {
	const block = 1024
	d, c := p.D, len(p.Present)
	z, s := make([]float64, min(block, len(use))*d), make([]float64, min(block, len(use))*c)
	weight := blas64.General{Rows: c, Cols: d, Stride: d, Data: p.Weight}
	for images := range slices.Chunk(use, block) {
		n := len(images)
		for r, i := range images {
			copy(s[r*c:(r+1)*c], p.Bias)
			for j, v := range x[i*d : (i+1)*d] {
				z[r*d+j] = (float64(v) - p.Mean[j]) / p.Scale[j]
			}
		}
		matmul.Gemm(blas.NoTrans, blas.Trans, 1, blas64.General{Rows: n, Cols: d, Stride: d, Data: z}, weight, 1,
			blas64.General{Rows: n, Cols: c, Stride: c, Data: s})
		for r, i := range images {
			row := out[i*p.Classes : (i+1)*p.Classes]
			for k := range row {
				row[k] = math.Inf(-1)
			}
			for k, class := range p.Present {
				row[class] = s[r*c+k]
			}
		}
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

// problem is the standardised training data of a probe.
type problem struct {
	n, d, classes int
	present       []int
	mean, scale   []float64
	scatter       []float64 // [d,d], x'x
	x             []float64 // [n,d]
	y             []int     // [n], index into present
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
	p.x = make([]float64, p.n*d)
	for r, i := range use {
		p.y = append(p.y, index[labels[i]])
		for j, v := range x[i*d : (i+1)*d] {
			p.x[r*d+j] = float64(v)
		}
	}
	p.standardise()
	p.scatter = make([]float64, d*d)
	matmul.Gemm(blas.Trans, blas.NoTrans, 1, p.features(), p.features(), 0, p.square(p.scatter))
	return p, nil
}

func (p *problem) standardise() {
	n, d, z := p.n, p.d, p.x
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

// Tolerances of a fit: the gradient's largest component in scaled variables, per
// square root of an image. In these variables the Hessian is of order one, so
// that a fit within closeEnough is that near its optimum in the units of its own
// standard errors: far below what moves a prediction.
const (
	exact       = 1e-7
	closeEnough = 1e-4
)

// solution holds weights on standardised features [d, classes present], the
// intercepts [classes present] and what it cost to find them.
type solution struct {
	weight, bias []float64
	l2, loss     float64
	variance     float64 // mean of p(1-p) over images and classes
	steps        int
}

// solve minimises the penalised loss by L-BFGS. start, when not nil, is a
// solution of the same problem to begin from.
//
// The optimiser's variables are L'W and the scaled intercepts, where
// LL' = v x'x + l2 I with v the mean of p(1-p) at the start: there the Hessian is
// about the identity, and some ten steps do where raw weights need hundreds.
func (p *problem) solve(l2 float64, start *solution, tolerance float64) (*solution, error) {
	if !(l2 > 0) || math.IsInf(l2, 1) {
		return nil, fmt.Errorf("probe: penalty %v: must be positive and finite", l2)
	}
	d, c := p.d, len(p.present)
	variance := (1 - 1/float64(c)) / float64(c)
	if start != nil {
		variance = start.variance
	}
	hessian := make([]float64, d*d)
	for k, v := range p.scatter {
		hessian[k] = variance * v
	}
	for j := range d {
		hessian[j*d+j] += l2
	}
	factor, ok := lapack64.Potrf(blas64.Symmetric{N: d, Stride: d, Data: hessian, Uplo: blas.Lower})
	if !ok {
		return nil, fmt.Errorf("probe: penalty %v is too small for these features", l2)
	}
	back := make([]float64, d*d) // zero above the diagonal, where factor holds what it was made of
	for i := range d {
		copy(back[i*d:i*d+i+1], factor.Data[i*d:])
	}
	if !lapack64.Trtri(blas64.Triangular{N: d, Stride: d, Data: back, Uplo: blas.Lower, Diag: blas.NonUnit}) {
		return nil, fmt.Errorf("probe: penalty %v is too small for these features", l2)
	}
	o := &objective{
		problem: p, l2: l2, back: p.square(back), unit: 1 / math.Sqrt(variance*float64(p.n)),
		weight: make([]float64, d*c), bias: make([]float64, c), residual: make([]float64, p.n*c), slope: make([]float64, d*c),
	}
	begin := make([]float64, (d+1)*c)
	if start != nil {
		copy(begin, start.weight)
		blas64.Trmm(blas.Left, blas.Trans, 1, factor, o.weights(begin[:d*c]))
		for k, b := range start.bias {
			begin[d*c+k] = b / o.unit
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
	s := &solution{weight: o.weight, bias: o.bias, l2: l2, loss: o.loss, steps: result.MajorIterations}
	for i, y := range o.y {
		for k, r := range o.residual[i*c : (i+1)*c] {
			if k == y {
				r++
			}
			s.variance += r * (1 - r)
		}
	}
	// Nearly separable classes leave next to no variance; the next, weaker penalty still moves the weights.
	s.variance = max(s.variance/float64(p.n*c), 1e-4/float64(c))
	return s, nil
}

// probe is the classifier of a solution.
func (p *problem) probe(s *solution) *Probe {
	d, c := p.d, len(p.present)
	out := &Probe{
		D: d, Classes: p.classes, Present: p.present, Mean: p.mean, Scale: p.scale,
		Weight: make([]float64, c*d), Bias: make([]float64, c), L2: s.l2, Loss: s.loss, Steps: s.steps,
	}
	mean := 0.0
	for k, b := range s.bias {
		mean += b / float64(c)
		for j := range d {
			out.Weight[k*d+j] = s.weight[j*c+k]
		}
	}
	for k, b := range s.bias {
		out.Bias[k] = b - mean
	}
	return out
}

// objective is the penalised loss as the optimiser sees it. The optimiser asks
// for value and gradient at the same point one after the other; both come from
// one pass, kept until the point changes.
type objective struct {
	*problem
	l2       float64
	back     blas64.General // [d,d], inverse of L of solve: of variables to weights
	unit     float64        // of the intercepts
	weight   []float64      // [d,c]
	bias     []float64      // [c]
	residual []float64      // [n,c] softmax minus indicator
	slope    []float64      // [d,c], scratch of gradient
	last     []float64
	loss     float64
	total    float64
}

func (o *objective) at(v []float64) {
	if o.last != nil && slices.Equal(o.last, v) {
		return
	}
	o.last = append(o.last[:0], v...)
	d, c := o.d, len(o.present)
	matmul.Gemm(blas.Trans, blas.NoTrans, 1, o.back, o.weights(v[:d*c]), 0, o.weights(o.weight))
	for k := range o.bias {
		o.bias[k] = v[d*c+k] * o.unit
	}
	penalty := 0.0
	for _, w := range o.weight {
		penalty += w * w
	}
	for i := range o.n {
		copy(o.residual[i*c:(i+1)*c], o.bias)
	}
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, o.features(), o.weights(o.weight), 1, o.residuals())
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
	d, c := o.d, len(o.present)
	copy(o.slope, o.weight)
	matmul.Gemm(blas.Trans, blas.NoTrans, 1, o.features(), o.residuals(), o.l2, o.weights(o.slope))
	matmul.Gemm(blas.NoTrans, blas.NoTrans, 1, o.back, o.weights(o.slope), 0, o.weights(g[:d*c]))
	bias := g[d*c:]
	clear(bias)
	for i := range o.n {
		for k, r := range o.residual[i*c : (i+1)*c] {
			bias[k] += r * o.unit
		}
	}
}

func (p *problem) features() blas64.General {
	return blas64.General{Rows: p.n, Cols: p.d, Stride: p.d, Data: p.x}
}

func (o *objective) residuals() blas64.General {
	c := len(o.present)
	return blas64.General{Rows: o.n, Cols: c, Stride: c, Data: o.residual}
}

// square views data [d,d] as a matrix.
func (p *problem) square(data []float64) blas64.General {
	return blas64.General{Rows: p.d, Cols: p.d, Stride: p.d, Data: data}
}

// weights views data [d,c] as a matrix.
func (p *problem) weights(data []float64) blas64.General {
	c := len(p.present)
	return blas64.General{Rows: p.d, Cols: c, Stride: c, Data: data}
}
