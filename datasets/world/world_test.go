package world

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestPairsAreTheSameWhateverTheParallelism(t *testing.T) {
	const n = 300
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.GOMAXPROCS(1)
	one, oneCaptions := Pairs(n, 7)
	runtime.GOMAXPROCS(4)
	four, fourCaptions := Pairs(n, 7)
	if !slices.Equal(one, four) || !slices.Equal(oneCaptions, fourCaptions) {
		t.Fatal("pictures or captions depend on the number of goroutines")
	}
	pix := make([]uint8, Bytes)
	for _, i := range []int{0, 63, 64, n - 1} {
		if captions := Pair(7, uint64(i), pix); captions != oneCaptions[i] || !slices.Equal(pix, one[i*Bytes:(i+1)*Bytes]) {
			t.Errorf("Pair(7, %d) differs from Pairs", i)
		}
	}
}

func TestSeedsAndIndicesGiveDifferentPictures(t *testing.T) {
	seen := map[[32]byte]int{}
	for seed := range uint64(3) {
		images, _ := Pairs(500, seed)
		for i := range 500 {
			h := sha256.Sum256(images[i*Bytes : (i+1)*Bytes])
			if j, ok := seen[h]; ok {
				t.Fatalf("seed %d: picture %d equals picture %d", seed, i, j)
			}
			seen[h] = i
		}
	}
}

// The drawings are part of every published number: a change of them must be
// meant, and then the shipped models are trained again.
func TestDrawingsHaveNotChanged(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the recorded hash is of amd64; other processors may fuse multiply and add")
	}
	images, captions := Pairs(256, 0)
	h := sha256.New()
	h.Write(images)
	for _, c := range captions {
		h.Write([]byte(strings.Join(c[:], "\n")))
	}
	const want = "bbffc7ff2f082ddd"
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("hash of seed 0 is %s, recorded %s", got, want)
	}
}

func TestPretrainingHoldsBackPairsAndShapes(t *testing.T) {
	c := canvases.Get().(*canvas)
	defer canvases.Put(c)
	var held, shapes int
	for i := range uint64(3000) {
		c.seed(3, pretraining, i)
		s := c.shapes(anyShapes()).(shapeScene)
		if heldPair(s.color, s.shape) {
			t.Fatalf("picture %d shows the held-back %s %s", i, colors[s.color].name, figures[s.shape].name)
		}
		if s.shape >= namedShapes {
			t.Fatalf("picture %d shows %s", i, figures[s.shape].name)
		}
		shapes++
	}
	for color := range colors {
		for shape := range namedShapes {
			if heldPair(color, shape) {
				held++
			}
		}
	}
	if held != 20 || shapes != 3000 {
		t.Errorf("%d colour-shape pairs held back, want 20", held)
	}
	_, captions := Pairs(5000, 1)
	for i, three := range captions {
		for _, caption := range three {
			for _, f := range figures[namedShapes : namedShapes+heldShapes] {
				// "house" is a shape held back, "houses" a kind of land.
				if slices.Contains(strings.Fields(caption), f.name) {
					t.Fatalf("caption %d names the held-back %s: %q", i, f.name, caption)
				}
			}
		}
	}
}

func TestCaptionsSayWhatIsDrawn(t *testing.T) {
	r := newRandom()
	r.seed(0, 0, 0)
	for _, tt := range []struct {
		scene scene
		must  [][]string // of each list one word, in some caption
		never []string
	}{
		{shapeScene{shape: 3, color: 0, count: 2, position: free, background: 8}, [][]string{{"three"}, {"stars"}, {"red"}, {"white"}}, []string{"star", "one", "a red", "left", "there is"}},
		{shapeScene{shape: 11, color: 4, position: 0, background: 1}, [][]string{{"ellipse", "oval"}, {"orange"}, {"left"}}, []string{"right", "a orange", "a ellipse", "circle", "there are"}},
		{shapeScene{shape: 4, color: 2, count: 1, position: free}, [][]string{{"crosses"}, {"pluses"}, {"two"}}, []string{"crosss", "pluss", "cross"}},
		{glyphScene{char: 7}, [][]string{{"seven"}, {"7"}}, []string{"letter", "six"}},
		{glyphScene{char: 10}, [][]string{{"letter a"}}, []string{"digit"}},
		{metalScene{cracks}, [][]string{{"cracks"}, {"defect"}}, []string{"scratches", "without"}},
		{aerialScene{river, false}, [][]string{{"river"}}, []string{"road"}},
		{aerialScene{farmland, true}, [][]string{{"farmland"}, {"fields"}, {"with a road"}}, nil},
		{signScene{redOctagon, signArrow}, [][]string{{"stop"}, {"arrow"}}, []string{"number", "triang"}},
		{signScene{blueCircle, 4}, [][]string{{"round blue"}, {"number four"}, {"number 4"}}, []string{"letter"}},
	} {
		var all strings.Builder
		for range 400 {
			all.WriteString(" " + tt.scene.caption(&r) + " |")
		}
		text := all.String()
		for _, any := range tt.must {
			if !slices.ContainsFunc(any, func(w string) bool { return strings.Contains(text, w) }) {
				t.Errorf("%+v: no caption says %v", tt.scene, any)
			}
		}
		for _, w := range tt.never {
			if strings.Contains(text, " "+w+" ") {
				i := strings.Index(text, " "+w+" ")
				t.Errorf("%+v: a caption says %q: …%s", tt.scene, w, text[i:min(i+60, len(text))])
			}
		}
	}
}

func TestFamiliesKeepTheirShares(t *testing.T) {
	total := 0
	for _, f := range families {
		total += f.percent
	}
	if total != 100 {
		t.Fatalf("shares add up to %d", total)
	}
	const n = 4000
	_, captions := Pairs(n, 5)
	var aerial, sign, metal int
	for _, c := range captions {
		switch {
		case strings.Contains(c[0], "satellite") || strings.Contains(c[0], "aerial") || strings.Contains(c[0], "from above"):
			aerial++
		case strings.Contains(c[0], "sign"):
			sign++
		case strings.Contains(c[0], "metal") || strings.Contains(c[0], "steel"):
			metal++
		}
	}
	for _, tt := range []struct {
		name      string
		got, want int
	}{{"aerial", aerial, n / 10}, {"sign", sign, n * 12 / 100}, {"metal", metal, n * 8 / 100}} {
		if tt.got < tt.want*8/10 || tt.got > tt.want*12/10 {
			t.Errorf("%d of %d pictures are %s, want about %d", tt.got, n, tt.name, tt.want)
		}
	}
}

func BenchmarkPair(b *testing.B) {
	pix := make([]uint8, Bytes)
	for i := 0; b.Loop(); i++ {
		Pair(1, uint64(i), pix)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
}
