package datasets

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Two pictures are nearly the same when their thumbnails of 16 x 16 grey pixels
// correlate at least this much. Measured on seven public sets of photographs,
// steel, signs and digits: re-encoding (JPEG quality 50 and up), scaling to half
// and brightening by 15 % leave 0.999 and more of a picture of 200 pixels and
// more, and different pictures, frames of the same sign included, do not pass 0.9954.
const nearCorrelation = 0.997

const thumb = 16

// signature is what is kept of a picture to find it again.
type signature struct {
	exact [16]byte // hash of the pixels
	// flat pictures have no thumbnail to speak of: they are the same or not.
	flat  bool
	thumb [thumb * thumb]int8 // without its mean, scaled to the range of int8
	norm  float32             // length of thumb
	wave  [len(waves)]float32 // unit thumb on waves: nearly the same pictures are neighbours there
}

// waves are orthonormal patterns of which most pictures have much: the slowest
// of the discrete cosine transform.
var waves = func() (w [12][thumb * thumb]float64) {
	along := func(i, n int) float64 {
		if n == 0 {
			return math.Sqrt(1. / thumb)
		}
		return math.Sqrt(2./thumb) * math.Cos(math.Pi*float64(n)*(float64(i)+0.5)/thumb)
	}
	for k, n := range [len(w)][2]int{{0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 0}, {1, 2}, {2, 1}, {2, 2}, {0, 3}, {3, 0}, {1, 3}, {3, 1}} {
		for y := range thumb {
			for x := range thumb {
				w[k][y*thumb+x] = along(y, n[0]) * along(x, n[1])
			}
		}
	}
	return w
}()

func sign(p *picture.RGB) *signature {
	s := new(signature)
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, [2]int64{int64(p.Width), int64(p.Height)})
	h.Write(p.Pix)
	copy(s.exact[:], h.Sum(nil))

	small := picture.Resize(p, thumb, thumb)
	var grey [thumb * thumb]float64
	mean := 0.0
	for i := range grey {
		c := small.Pix[3*i:]
		grey[i] = 0.299*float64(c[0]) + 0.587*float64(c[1]) + 0.114*float64(c[2])
		mean += grey[i] / (thumb * thumb)
	}
	most, square := 0.0, 0.0
	for i := range grey {
		grey[i] -= mean
		most = max(most, math.Abs(grey[i]))
		square += grey[i] * grey[i]
	}
	if square < thumb*thumb { // less than one grey level
		s.flat = true
		return s
	}
	length := 0.0
	for i, v := range grey {
		q := math.Round(v * 127 / most)
		s.thumb[i] = int8(q)
		length += q * q
	}
	s.norm = float32(math.Sqrt(length))
	for k := range waves {
		sum := 0.0
		for i, v := range s.thumb {
			sum += float64(v) * waves[k][i]
		}
		s.wave[k] = float32(sum / float64(s.norm))
	}
	return s
}

// near reports whether two pictures are nearly the same.
func (s *signature) near(o *signature) bool {
	if s.flat || o.flat {
		return false
	}
	sum := int32(0)
	for i, v := range s.thumb {
		sum += int32(v) * int32(o.thumb[i])
	}
	return float64(sum) >= nearCorrelation*float64(s.norm)*float64(o.norm)
}

// reach is how far unit thumbnails of nearly the same pictures are apart at most.
var reach = math.Sqrt(2*(1-nearCorrelation) + 1e-4)

// cell is a place on three waves.
type cell [3]int32

// finder finds pictures among those it was given. Its work for each is in
// proportion to the pictures that are alike on the three waves that tell most
// of them apart.
type finder struct {
	signatures []*signature // of all records; nil for those not usable
	exact      map[[16]byte]int
	axes       [7]int // waves, those that tell most first
	cells      map[cell][]neighbour
}

// neighbour is what of a record rules most comparisons out, side by side in
// memory: its place on the axes.
type neighbour struct {
	place  [7]float32
	record int32
}

func newFinder(signatures []*signature) *finder {
	f := &finder{signatures: signatures, exact: map[[16]byte]int{}, cells: map[cell][]neighbour{}}
	var sum, square [len(waves)]float64
	n := 0.0
	for _, s := range signatures {
		if s != nil && !s.flat {
			n++
			for k, v := range s.wave {
				sum[k] += float64(v)
				square[k] += float64(v) * float64(v)
			}
		}
	}
	axes := make([]int, len(waves))
	for k := range axes {
		axes[k] = k
	}
	variance := func(k int) float64 { return square[k]/n - sum[k]/n*sum[k]/n }
	slices.SortStableFunc(axes, func(a, b int) int { return cmp.Compare(variance(b), variance(a)) })
	copy(f.axes[:], axes)
	return f
}

// place returns where a picture is on the axes, and in which cell.
func (f *finder) place(s *signature) (place [7]float32, c cell) {
	for i, k := range f.axes {
		place[i] = s.wave[k]
	}
	for i := range c {
		c[i] = int32(math.Floor(float64(place[i]) / reach))
	}
	return place, c
}

// add makes record i findable. Of exact copies the first is enough.
func (f *finder) add(i int) {
	s := f.signatures[i]
	if _, ok := f.exact[s.exact]; ok {
		return
	}
	f.exact[s.exact] = i
	if !s.flat {
		place, c := f.place(s)
		f.cells[c] = append(f.cells[c], neighbour{place, int32(i)})
	}
}

// find calls visit with the records that are nearly the same as record i, an
// exact copy first, until visit returns false.
func (f *finder) find(i int, visit func(j int, exact bool) bool) {
	s := f.signatures[i]
	if j, ok := f.exact[s.exact]; ok && !visit(j, true) {
		return
	}
	if s.flat {
		return
	}
	place, at := f.place(s)
	for step := range 27 {
		c := cell{at[0] + int32(step%3-1), at[1] + int32(step/3%3-1), at[2] + int32(step/9-1)}
		for _, n := range f.cells[c] {
			if apart(&place, &n.place) {
				continue
			}
			j := int(n.record)
			o := f.signatures[j]
			if o.exact != s.exact && s.near(o) && !visit(j, false) {
				return
			}
		}
	}
}

// apart reports whether two places alone are too far from each other.
func apart(a, b *[7]float32) bool {
	sum := float32(0)
	for i, v := range a {
		d := v - b[i]
		if sum += d * d; sum > 2*(1-nearCorrelation)+1e-4 {
			return true
		}
	}
	return false
}

// sameAs words what was found.
func sameAs(exact bool) string {
	if exact {
		return "is the same picture as"
	}
	return "is nearly the same picture as"
}

// sets joins records into disjoint sets.
type sets []int

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func (s sets) of(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

// join makes one set of two, called by its first record.
func (s sets) join(i, j int) {
	i, j = s.of(i), s.of(j)
	s[max(i, j)] = min(i, j)
}

// together finds what must stay in one split: copies, and what opt groups. The
// copies are told when opt asks for it. Signatures are those of all records, or
// nil when the pictures were not looked at.
func (s *Source) together(records []int, signatures []*signature, opt FolderOptions, problems *Problems) sets {
	joined := newSets(len(s.Records))
	if signatures != nil {
		f := newFinder(signatures)
		for _, i := range records {
			told := false
			f.find(i, func(j int, exact bool) bool {
				if opt.Duplicates && !told && s.Records[i].Split == s.Records[j].Split {
					told = true
					message := sameAs(exact) + " " + displayName(s.Records[j].ID)
					if a, b := s.Records[i].Class, s.Records[j].Class; a != b {
						message += ", which is of class " + displayName(b)
					}
					problems.addCopy(Duplicate, pair{s, i, j}, message)
				}
				joined.join(i, j)
				return true
			})
			f.add(i)
		}
	}
	first := map[string]int{}
	for _, i := range records {
		g := opt.group(s.Records[i])
		if g == "" {
			continue
		}
		if j, ok := first[g]; ok {
			joined.join(i, j)
		} else {
			first[g] = i
		}
	}
	return joined
}

// apart leaves out of the training split what is also in the validation or test
// split, and out of the validation split what is also in the test split: copies,
// near copies, and pictures of the same group. All of it is told.
func (s *Source) apart(p *parts, signatures []*signature, opt FolderOptions, problems *Problems) error {
	var f *finder
	if signatures != nil {
		f = newFinder(signatures)
	}
	groups := map[string]int{} // a record of each group
	splits := []struct {
		name string
		l    *listed
	}{{"test", p.test}, {"val", p.val}, {"train", p.train}}
	for _, split := range splits {
		l := split.l
		if l == nil {
			continue
		}
		before, n := l.Len(), 0
		for at, i := range l.records {
			message, of := "", 0
			if f != nil {
				f.find(i, func(j int, exact bool) bool {
					of = j
					message = sameAs(exact) + " " + displayName(s.Records[j].ID)
					return false
				})
			}
			copied := message != ""
			if g := opt.group(s.Records[i]); !copied && g != "" {
				if j, ok := groups[g]; ok {
					message = "is of group " + displayName(g) + ", as is " + displayName(s.Records[j].ID)
				}
			}
			if message == "" {
				l.records[n], l.labels[n] = i, l.labels[at]
				n++
				continue
			}
			message += " of another split; it is left out of the " + split.name + " split"
			if copied {
				problems.addCopy(Leak, pair{s, i, of}, message)
			} else {
				problems.Add(Leak, s.Records[i].ID, message)
			}
		}
		l.records, l.labels = l.records[:n], l.labels[:n]
		if n == 0 {
			return fmt.Errorf("%s: all %d pictures of the %s split are also in another split", displayName(s.Path), before, split.name)
		}
		for _, i := range l.records {
			if f != nil {
				f.add(i)
			}
			if g := opt.group(s.Records[i]); g != "" {
				if _, ok := groups[g]; !ok {
					groups[g] = i
				}
			}
		}
	}
	return nil
}
