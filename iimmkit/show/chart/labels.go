package chart

import (
	"math"
	"sort"
)

// spot is a mark that wants a label beside it.
type spot struct {
	at     XY
	radius float64
	text   string
}

// placement is where a label went.
type placement struct {
	text   string
	at     XY // start of the baseline
	placed bool
	leader []XY // a thin line from the mark, when the label stands apart
}

type box struct{ x0, y0, x1, y1 float64 }

func (b box) overlap(o box) float64 {
	w := math.Min(b.x1, o.x1) - math.Max(b.x0, o.x0)
	h := math.Min(b.y1, o.y1) - math.Max(b.y0, o.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}

// distance from a point to the box, 0 inside.
func (b box) distance(p XY) float64 {
	return math.Hypot(math.Max(0, math.Max(b.x0-p.X, p.X-b.x1)), math.Max(0, math.Max(b.y0-p.Y, p.Y-b.y1)))
}

// crossed is the length of a segment inside the box.
func (b box) crossed(p, q XY) float64 {
	p, q, ok := area{b.x0, b.y0, b.x1, b.y1}.clip(p, q)
	if !ok {
		return 0
	}
	return math.Hypot(q.X-p.X, q.Y-p.Y)
}

// Distances and directions tried for a label, nearest first.
var labelRings = []float64{2, 9, 18, 30, 45, 64}

const labelDirections = 16

// placeLabels finds room for labels: none overlaps another label, none leaves
// the area, marks and lines are covered only where nothing better is found.
// Greedy, the most crowded first, then each label may move again, knowing
// all others (Christensen, Marks and Shieber, 1995, call this discrete
// gradient descent). Labels without any room are not placed.
func placeLabels(within area, spots []spot, lines [][]XY, size float64) []placement {
	crowd := make([]int, len(spots))
	order := make([]int, 0, len(spots))
	for i, s := range spots {
		for _, o := range spots {
			if math.Hypot(s.at.X-o.at.X, s.at.Y-o.at.Y) < 60 {
				crowd[i]++
			}
		}
		if s.text != "" {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return crowd[order[a]] > crowd[order[b]] })

	l := labeller{within: within, spots: spots, lines: lines, size: size, boxes: make([]box, len(spots)), out: make([]placement, len(spots))}
	for range 5 {
		for _, i := range order {
			l.place(i)
		}
	}
	return l.out
}

type labeller struct {
	within area
	spots  []spot
	lines  [][]XY
	size   float64
	boxes  []box // of placed labels
	out    []placement
}

func (l *labeller) place(i int) {
	s := l.spots[i]
	w, h := textWidth(s.text, l.size, false)+2, l.size*1.05
	l.out[i] = placement{text: s.text}
	best := math.Inf(1)
	for ring, gap := range labelRings {
		if best < float64(ring)*6 { // farther ones cannot be better
			break
		}
		for d := range labelDirections {
			angle := 2 * math.Pi * float64(d) / labelDirections
			ux, uy := math.Cos(angle), -math.Sin(angle)
			reach := s.radius + gap
			// The box touches the ring with its side or corner nearest to the mark.
			cx, cy := s.at.X+ux*reach+sign(ux)*w/2, s.at.Y+uy*reach+sign(uy)*h/2
			b := box{cx - w/2, cy - h/2, cx + w/2, cy + h/2}
			cost := float64(ring)*6 + direction(d)
			var leader []XY
			if ring >= 1 {
				leader = []XY{{s.at.X + ux*s.radius, s.at.Y + uy*s.radius}, {clampTo(s.at.X+ux*reach, b.x0, b.x1), clampTo(s.at.Y+uy*reach, b.y0, b.y1)}}
			}
			if cost >= best {
				continue
			}
			if cost += l.cost(i, b, leader); cost < best {
				best = cost
				l.boxes[i] = b
				l.out[i] = placement{text: s.text, at: XY{b.x0 + 1, b.y1 - .24*h}, placed: true, leader: leader}
			}
		}
	}
}

// cost of a box for label i; infinite where it may not be.
func (l *labeller) cost(i int, b box, leader []XY) float64 {
	a := l.within
	if b.x0 < a.left || b.x1 > a.right || b.y0 < a.top || b.y1 > a.bottom {
		return math.Inf(1)
	}
	sum, own := 0.0, b.distance(l.spots[i].at)-l.spots[i].radius
	for j, o := range l.spots {
		if j != i && l.out[j].placed {
			if b.overlap(l.boxes[j]) > 0 {
				return math.Inf(1)
			}
			if leader != nil && l.boxes[j].crossed(leader[0], leader[1]) > 0 {
				sum += 40
			}
			if other := l.out[j].leader; other != nil && b.crossed(other[0], other[1]) > 0 {
				sum += 40
			}
		}
		mark := box{o.at.X - o.radius, o.at.Y - o.radius, o.at.X + o.radius, o.at.Y + o.radius}
		// A name nearer to another mark than to its own would be read as that one's.
		if j != i && o.text != "" && b.distance(o.at)-o.radius <= own {
			sum += 14
		}
		if v := b.overlap(mark); v > 0 {
			sum += 60 + v
		}
		if leader != nil && j != i && mark.crossed(leader[0], leader[1]) > 0 {
			sum += 15
		}
	}
	for _, line := range l.lines {
		for k := 1; k < len(line); k++ {
			sum += .25 * b.crossed(line[k-1], line[k])
		}
	}
	return sum
}

// direction prefers right, then above, below and left.
func direction(d int) float64 {
	switch d {
	case 0:
		return 0
	case 4, 12:
		return 1
	case 8:
		return 1.5
	}
	return 2 + float64(d%2)*.5
}

func sign(v float64) float64 {
	switch {
	case v > 1e-9:
		return 1
	case v < -1e-9:
		return -1
	}
	return 0
}

func clampTo(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }

// drawLabels draws what was placed.
func drawLabels(c Canvas, labels []placement, size float64) {
	for _, l := range labels {
		if l.placed && l.leader != nil {
			c.Polyline(l.leader, Style{Stroke: axisColor, Width: .7})
		}
	}
	for _, l := range labels {
		if l.placed {
			c.Text(l.at, l.text, TextStyle{Size: size, Color: ink, Halo: true})
		}
	}
}
