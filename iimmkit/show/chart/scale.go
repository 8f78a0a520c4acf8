package chart

import (
	"math"
	"strconv"
	"strings"
)

// scale maps a range of values to pixels.
type scale struct {
	lo, hi float64 // values
	a, b   float64 // pixels of lo and hi
	axis   Axis
	bare   bool // without numbers and grid
}

// newScale chooses the range: the axis's own, or that of the values with a
// margin of a twentieth on both sides.
func newScale(axis Axis, values []float64) scale {
	if axis.Min < axis.Max {
		return scale{lo: axis.Min, hi: axis.Max, axis: axis}
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	if axis.Log {
		if lo > hi {
			lo, hi = 1, 10
		}
		margin := math.Max(math.Pow(hi/lo, .05), 1.05)
		return scale{lo: lo / margin, hi: hi * margin, axis: axis}
	}
	if axis.Zero {
		lo, hi = math.Min(lo, 0), math.Max(hi, 0)
	}
	if lo > hi {
		lo, hi = 0, 1
	}
	// A range below float precision around a large value cannot be split.
	if hi-lo < 1e-9*math.Max(math.Abs(lo), math.Abs(hi)) || lo == hi {
		half := math.Max(math.Abs(lo)*.05, .5)
		lo, hi = lo-half, hi+half
	}
	margin := (hi - lo) * .05
	return scale{lo: lo - margin, hi: hi + margin, axis: axis}
}

// onto fixes the pixels of both ends.
func (s scale) onto(a, b float64) scale {
	s.a, s.b = a, b
	return s
}

func (s scale) pixel(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.axis.Log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return s.a + (v-lo)/(hi-lo)*(s.b-s.a)
}

func (s scale) has(v float64) bool { return v >= s.lo && v <= s.hi }

// clamp returns the nearest value in the range.
func (s scale) clamp(v float64) float64 { return math.Max(s.lo, math.Min(s.hi, v)) }

// domain is the range for Vega-Lite.
func (s scale) domain() []float64 { return []float64{s.lo, s.hi} }

type tick struct {
	value float64
	label string
}

// ticks returns round numbers in the range: steps of 1, 2 or 5 times a power
// of ten, at most about one every spacing pixels.
func (s scale) ticks(spacing float64) []tick {
	if s.axis.Log && s.hi > 4*s.lo {
		return s.logTicks(spacing)
	}
	count := math.Max(2, math.Abs(s.b-s.a)/spacing)
	unit := 1.0
	if s.axis.Percent {
		unit = 100
	}
	lo, hi := s.lo*unit, s.hi*unit
	step := roundStep((hi - lo) / count)
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	var out []tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		label := strconv.FormatFloat(i*step, 'f', decimals, 64)
		if i == 0 {
			label = "0"
		}
		if size := math.Max(math.Abs(lo), math.Abs(hi)); size >= 1e6 || size < 1e-4 {
			label = strconv.FormatFloat(i*step, 'g', 4, 64)
		}
		if s.axis.Percent {
			label += " %"
		}
		out = append(out, tick{i * step / unit, minus(label)})
	}
	return out
}

// logTicks returns 1, 2 and 5 times powers of ten, or fewer of them where they
// would stand closer than spacing.
func (s scale) logTicks(spacing float64) []tick {
	var out []tick
	for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		out = nil
		for power := math.Floor(math.Log10(s.lo)); power <= math.Log10(s.hi); power++ {
			for _, m := range steps {
				if v := m * math.Pow(10, power); s.has(v) {
					out = append(out, tick{v, s.axis.value(v)})
				}
			}
		}
		if len(out) < 3 || math.Abs(s.pixel(out[1].value)-s.pixel(out[0].value)) >= spacing*.6 {
			return out
		}
	}
	every := 1 // powers of ten, thinned out
	for every < len(out) && math.Abs(s.pixel(out[every].value)-s.pixel(out[0].value)) < spacing {
		every++
	}
	var thinned []tick
	for i := 0; i < len(out); i += every {
		thinned = append(thinned, out[i])
	}
	return thinned
}

// roundStep returns the smallest of 1, 2, 5 times a power of ten that is at
// least v.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// minus replaces the hyphen of a negative number by the minus sign.
func minus(number string) string {
	if strings.HasPrefix(number, "-") {
		return "−" + number[1:]
	}
	return number
}

// short formats a value with about four significant digits.
func short(v float64) string {
	if v == 0 {
		return "0"
	}
	a := math.Abs(v)
	var s string
	switch {
	case a >= 1e6 || a < 1e-4:
		s = strconv.FormatFloat(v, 'g', 4, 64)
	case a >= 100:
		s = strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 10:
		s = strconv.FormatFloat(v, 'f', 2, 64)
	default:
		s = strconv.FormatFloat(v, 'f', 4, 64)
	}
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return minus(s)
}
