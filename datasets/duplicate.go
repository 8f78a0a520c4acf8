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
	apart := float32(0) // on the waves alone, already
	for k, v := range s.wave {
		d := v - o.wave[k]
		if apart += d * d; apart > 2*(1-nearCorrelation)+1e-4 {
			return false
		}
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
	axes       [3]int // waves
	cells      map[cell][]int
}

func newFinder(signatures []*signature) *finder {
	f := &finder{signatures: signatures, exact: map[[16]byte]int{}, cells: map[cell][]int{}}
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

func (f *finder) cell(s *signature) (c cell) {
	for i, k := range f.axes {
		c[i] = int32(math.Floor(float64(s.wave[k]) / reach))
	}
	return c
}

// add makes record i findable. Of exact copies the first is enough.
func (f *finder) add(i int) {
	s := f.signatures[i]
	if _, ok := f.exact[s.exact]; ok {
		return
	}
	f.exact[s.exact] = i
	if !s.flat {
		c := f.cell(s)
		f.cells[c] = append(f.cells[c], i)
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
	at := f.cell(s)
	for step := range 27 {
		c := cell{at[0] + int32(step%3-1), at[1] + int32(step/3%3-1), at[2] + int32(step/9-1)}
		for _, j := range f.cells[c] {
			o := f.signatures[j]
			if o.exact != s.exact && s.near(o) && !visit(j, false) {
				return
			}
		}
	}
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
					problems.Add(Duplicate, s.Records[i].ID, message)
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
			message := ""
			if f != nil {
				f.find(i, func(j int, exact bool) bool {
					message = sameAs(exact) + " " + displayName(s.Records[j].ID)
					return false
				})
			}
			if g := opt.group(s.Records[i]); message == "" && g != "" {
				if j, ok := groups[g]; ok {
					message = "is of group " + displayName(g) + ", as is " + displayName(s.Records[j].ID)
				}
			}
			if message == "" {
				l.records[n], l.labels[n] = i, l.labels[at]
				n++
				continue
			}
			problems.Add(Leak, s.Records[i].ID, message+" of another split; it is left out of the "+split.name+" split")
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
