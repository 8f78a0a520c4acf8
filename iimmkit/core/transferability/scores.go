package transferability

import (
	"fmt"
	"math"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// Score is a named function of a sample.
type Score struct {
	Name string
	// Convention says in a line which of the forms in use is computed. The
	// function's comment says it in full.
	Convention string
	// Needs is the part of an Input that it needs beside images and labels, or "".
	Needs Need
	// Compute returns the value, in the units of its convention. Missing is in
	// the chain of its error where the sample lacks a part it needs.
	Compute func(*Sample) (Result, error)
}

// Scores are all but Probes, in the order they are shown in.
var Scores = []Score{
	{"iimm", "mean of the cosines of images with wrong captions and of pairs of images", Texts, IIMM},
	{"zero_shot_error", "fraction of images whose most similar caption is another class's; higher: more to gain", Texts, ZeroShotError},
	{"mean_margin", "mean cosine with the right caption less that with the best wrong one", Texts, MeanMargin},
	{"text_separability", "mean over captions of 1 - cosine with the nearest other caption", Texts, TextSeparability},
	{"gbc_diagonal", "diagonal Gaussians, variance floor 1e-4, no PCA", None, GBCDiagonal},
	{"gbc_spherical", "spherical Gaussians, variance floor 1e-4, no PCA", None, GBCSpherical},
	{"sfda", "shrinkage exp(-5 lmax) by five power iterations, second softmax in the first stage only", None, SFDA},
	{"ncti_seli", "64 principal axes; nuclear norm on the discriminant axes; to be scaled over models", None, NCTISeli},
	{"ncti_ncc", "64 principal axes; mean posterior of the own class", None, NCTINcc},
	{"ncti_vc", "64 principal axes; log of the classes' nuclear norms; lower is better", None, NCTIVc},
	{"transrate", "coding rate with eps 1e-4, centred, unweighted over classes, nats", None, TransRate},
	{"h_score", "pseudo-inverse of the covariance, classes weigh by their images, ddof 1", None, HScore},
	{"h_score_regularized", "Ledoit-Wolf covariance (ddof 0), between-class covariance with ddof 1", None, HScoreRegularized},
	{"logme", "fixed point, at most 11 rounds, tolerance 1e-3, no centring", None, LogME},
	{"logme_icml", "as the ICML code: tolerance 1e-2, all d singular values", None, LogMEICML},
	{"leep", "with the logarithm, nats; source probabilities as given", Source, LEEP},
	{"nce", "argmax of the source probabilities, nats", Source, NCE},
	{"nleep", "PCA to 80 % of the variance, 5 diagonal Gaussians a class, k-means start with fixed seed", None, NLEEP},
	{"parc", "Spearman x 100 over all pairs, z-scored images, label distances tied exactly, no PCA", None, PARC},
	{"knn_cv", "leave-one-out, k = 1, Euclidean, percent; ties share", None, KNN},
	{"emms", "one step, minus the mean squared error of the z-scored label embeddings", LabelEmbeddings, EMMS},
	{"emms_published", "as the authors' code scales it: emms times the squared width of the label embeddings", LabelEmbeddings, EMMSPublished},
	{"energy", "mean log-sum-exp over the columns of the images as they are", None, Energy},
}

// Probes are scores, too, kept apart because they cost more than all the others
// together. They forecast better than any of them.
var Probes = []Score{
	{"probe_1", "accuracy of a linear probe on 1 image a class, the best of three penalties, 5 folds", None, Probe(1)},
	{"probe_4", "accuracy of a linear probe on 4 images a class, the best of three penalties, 5 folds", None, Probe(4)},
	{"probe_16", "accuracy of a linear probe on 16 images a class, the best of three penalties, 5 folds", None, Probe(16)},
	{"probe_all", "accuracy of a linear probe on all images outside the fold, the best of three penalties, 5 folds", None, Probe(0)},
}

// Find returns the score of a name.
func Find(name string) (Score, error) {
	var names []string
	for _, s := range slices.Concat(Scores, Probes) {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Score{}, fmt.Errorf("no score %q; there are %s", name, strings.Join(names, ", "))
}

// Report is a score that was computed, and what it cost.
type Report struct {
	// Value is nil where there is none, and Warning says why.
	Value *float64 `json:"value"`
	// Seconds it took and Bytes it allocated. What scores of one sample share,
	// such as the principal axes, counts where it is needed first.
	Seconds    float64 `json:"seconds"`
	Bytes      uint64  `json:"bytes"`
	Convention string  `json:"convention"`
	Warning    string  `json:"warning,omitempty"`
}

// Run computes a score. What goes wrong is said in the report.
func (sc Score) Run(s *Sample) Report {
	start, before := time.Now(), allocated()
	r, err := sc.Compute(s)
	out := Report{Seconds: time.Since(start).Seconds(), Bytes: allocated() - before, Convention: sc.Convention}
	switch {
	case err != nil:
		out.Warning = err.Error()
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		out.Warning = "not a finite number: the embeddings are too large or too small"
	default:
		out.Value, out.Warning = &r.Value, strings.Join(r.Warnings, "; ")
	}
	return out
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
