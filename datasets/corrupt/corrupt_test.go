package corrupt

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// scene is a picture of waves and a disc, whose likes cameras take.
func scene(n int) *picture.RGB {
	p := picture.New(n, n)
	for i := range n * n {
		x, y := float64(i%n)/float64(n), float64(i/n)/float64(n)
		blue := 60.0
		if (x-.5)*(x-.5)+(y-.4)*(y-.4) < .06 {
			blue = 220
		}
		for c, v := range []float64{128 + 100*math.Sin(9*x+4*y), 128 + 90*math.Cos(7*x*y+3*y), blue + 20*math.Sin(31*x)} {
			p.Pix[3*i+c] = uint8(math.Floor(min(max(v, 0), 255) + .5))
		}
	}
	return p
}

// motley is a picture in which no sample follows from its neighbours.
func motley(w, h int) *picture.RGB {
	p := picture.New(w, h)
	for i := range p.Pix {
		p.Pix[i] = uint8((i*i*7 + i*13) % 256)
	}
	return p
}

// gray is a picture of one level.
func gray(w, h int, v uint8) *picture.RGB {
	p := picture.New(w, h)
	for i := range p.Pix {
		p.Pix[i] = v
	}
	return p
}

func apply(t testing.TB, p *picture.RGB, kind Kind, severity int, seed uint64) *picture.RGB {
	t.Helper()
	q, err := Apply(p, kind, severity, seed)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// distance is the root mean square difference of samples.
func distance(p, q *picture.RGB) float64 {
	sum := 0.0
	for i := range p.Pix {
		d := float64(p.Pix[i]) - float64(q.Pix[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(p.Pix)))
}

func TestStrengthsAreThePublishedOnesAt32And224(t *testing.T) {
	for _, c := range []struct {
		kind         Kind
		small, large [Severities]float64
	}{
		{GaussianNoise, [5]float64{.04, .06, .08, .09, .10}, [5]float64{.08, .12, .18, .26, .38}},
		{ShotNoise, [5]float64{500, 250, 100, 75, 50}, [5]float64{60, 25, 12, 5, 3}},
		{GaussianBlur, [5]float64{.4, .6, .7, .8, 1}, [5]float64{1, 2, 3, 4, 6}},
		{JPEG, [5]float64{80, 65, 58, 50, 40}, [5]float64{25, 18, 15, 10, 7}},
	} {
		for s := range Severities {
			small, err := Strength(c.kind, s+1, 32)
			if err != nil || math.Abs(small-c.small[s]) > 1e-12 {
				t.Errorf("%s %d at 32 pixels: %g, want %g (%v)", c.kind, s+1, small, c.small[s], err)
			}
			if large, _ := Strength(c.kind, s+1, 224); math.Abs(large-c.large[s]) > 1e-12 {
				t.Errorf("%s %d at 224 pixels: %g, want %g", c.kind, s+1, large, c.large[s])
			}
		}
	}
}

// Values of numpy: a (b/a)^t, t = log(side/32)/log(7), lengths in proportion beyond.
func TestStrengthFollowsTheSide(t *testing.T) {
	for side, want := range map[int][4]float64{
		16:  {.04, 50, .5, 80},
		64:  {0.05120224924019219, 18.354336862031168, 1.8931414659210566, 52.863015609171086},
		100: {0.06002457940123202, 9.627473407275454, 2.8552826219694705, 40.485331998842625},
		448: {.08, 3, 12, 25},
	} {
		for i, c := range []struct {
			kind     Kind
			severity int
		}{{GaussianNoise, 1}, {ShotNoise, 5}, {GaussianBlur, 5}, {JPEG, 1}} {
			if got, err := Strength(c.kind, c.severity, side); err != nil || math.Abs(got-want[i]) > 1e-9 {
				t.Errorf("%s %d at %d pixels: %g, want %g (%v)", c.kind, c.severity, side, got, want[i], err)
			}
		}
		if got, _ := Strength(Contrast, 5, side); got != .1 {
			t.Errorf("contrast at %d pixels: %g", side, got)
		}
	}
}

func TestEverySeverityGoesFurtherFromThePicture(t *testing.T) {
	for _, side := range []int{32, 100, 224} {
		p := scene(side)
		before := slices.Clone(p.Pix)
		for _, kind := range Kinds() {
			last := 0.0
			for severity := 1; severity <= Severities; severity++ {
				q := apply(t, p, kind, severity, 3)
				if q.Width != side || q.Height != side {
					t.Fatalf("%s: %d x %d", kind, q.Width, q.Height)
				}
				d := distance(p, q)
				if d <= last {
					t.Errorf("%s %d at %d pixels: %.2f levels from the picture, severity %d is %.2f", kind, severity, side, d, severity-1, last)
				}
				last = d
			}
		}
		if !slices.Equal(before, p.Pix) {
			t.Fatal("the picture itself was changed")
		}
	}
}

func TestSeedDecidesAboutWhatIsDrawn(t *testing.T) {
	p := scene(40)
	for _, kind := range Kinds() {
		drawn := kind == GaussianNoise || kind == ShotNoise || kind == MotionBlur || kind == Hue
		different := false
		for seed := range uint64(8) {
			first, again := apply(t, p, kind, 2, seed), apply(t, p, kind, 2, seed)
			if !bytes.Equal(first.Pix, again.Pix) {
				t.Errorf("%s: seed %d gives two pictures", kind, seed)
			}
			different = different || !bytes.Equal(first.Pix, apply(t, p, kind, 2, seed+1).Pix)
		}
		if different != drawn {
			t.Errorf("%s: depends on the seed: %v", kind, different)
		}
	}
}

// The noise of a seed is the same for all severities, only stronger.
func TestSeveritiesShareTheirNoise(t *testing.T) {
	p := gray(32, 32, 128)
	weak, strong := apply(t, p, GaussianNoise, 1, 9), apply(t, p, GaussianNoise, 3, 9)
	for i := range p.Pix {
		if d := float64(strong.Pix[i]) - 128 - 2*(float64(weak.Pix[i])-128); math.Abs(d) > 1.5 {
			t.Fatalf("sample %d: noise %d at severity 1, %d at severity 3, twice as strong", i, int(weak.Pix[i])-128, int(strong.Pix[i])-128)
		}
	}
}

func TestWrongCallsAreRefused(t *testing.T) {
	p := gray(4, 4, 1)
	for want, err := range map[string]error{
		`no corruption "fog": there are gaussian-noise, shot-noise`: func() error { _, err := Apply(p, "fog", 1, 0); return err }(),
		"severity 0 of jpeg: must be in 1..5":                       func() error { _, err := Apply(p, JPEG, 0, 0); return err }(),
		"severity 6 of hue":                                         Check(Hue, 6),
		"a picture of 0 x 0 pixels":                                 func() error { _, err := Apply(picture.New(0, 0), Hue, 1, 0); return err }(),
		"a side of 0 pixels":                                        func() error { _, err := Strength(Hue, 1, 0); return err }(),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if Kind("fog").About() != "" {
		t.Error("an unknown kind is described")
	}
}

func FuzzApply(f *testing.F) {
	for i := range Kinds() {
		f.Add(uint8(1), uint8(1), uint8(i), 5, uint64(i), []byte{200})
		f.Add(uint8(7), uint8(3), uint8(i), 1, uint64(i), []byte{0, 255, 3})
	}
	f.Fuzz(func(t *testing.T, w, h, k uint8, severity int, seed uint64, fill []byte) {
		p := picture.New(int(w)%48, int(h)%48)
		for i := range p.Pix {
			if len(fill) > 0 {
				p.Pix[i] = fill[i%len(fill)]
			}
		}
		kind := Kinds()[int(k)%len(Kinds())]
		q, err := Apply(p, kind, severity, seed)
		if ok := severity >= 1 && severity <= Severities && len(p.Pix) > 0; ok != (err == nil) {
			t.Fatalf("%s %d of %d x %d: %v", kind, severity, p.Width, p.Height, err)
		}
		if err == nil && (q.Width != p.Width || q.Height != p.Height || len(q.Pix) != len(p.Pix)) {
			t.Fatalf("%s: %d x %d became %d x %d", kind, p.Width, p.Height, q.Width, q.Height)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for _, side := range []int{32, 224} {
		p := scene(side)
		for _, kind := range Kinds() {
			b.Run(fmt.Sprintf("%s/%d", kind, side), func(b *testing.B) {
				for b.Loop() {
					apply(b, p, kind, Severities, 1)
				}
			})
		}
	}
}
