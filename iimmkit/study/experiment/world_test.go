package experiment

import (
	"math/rand/v2"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/encodertest"
)

// memory is a split held in memory.
type memory struct {
	pictures []*picture.RGB
	labels   []int
}

func (m *memory) Len() int                          { return len(m.labels) }
func (m *memory) Label(i int) int                   { return m.labels[i] }
func (m *memory) ID(i int) string                   { return "" }
func (m *memory) Image(i int) (*picture.RGB, error) { return m.pictures[i], nil }
func draw(n, classes int, seed uint64, shade func(y, x, row, ch int) float64) *memory {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &memory{}
	for range n {
		y := rng.IntN(classes)
		p := picture.New(16, 16)
		for k := range p.Pix {
			v := 110 + 70*shade(y, k/3%16, k/48, k%3) + 35*rng.NormFloat64()
			p.Pix[k] = uint8(min(255, max(0, v)))
		}
		m.pictures, m.labels = append(m.pictures, p), append(m.labels, y)
	}
	return m
}

// tinyTasks are told apart by colour, by side, and by stripes.
func tinyTasks() []*datasets.Task {
	on := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	kinds := []struct {
		name     string
		captions []string
		shade    func(y, x, row, ch int) float64
	}{
		{"colour", []string{"a red square", "a green square", "a blue square"}, func(y, _, _, ch int) float64 { return on(ch == y) }},
		{"side", []string{"light on the left", "light on the right"}, func(y, x, _, _ int) float64 { return on((x < 8) == (y == 0)) }},
		{"stripes", []string{"wide stripes", "narrow stripes"}, func(y, x, _, _ int) float64 { return on(x/(4-3*y)%2 == 0) }},
	}
	var tasks []*datasets.Task
	for k, kind := range kinds {
		tasks = append(tasks, &datasets.Task{
			Name: kind.name, Group: "id", Domain: kind.name, ClassNames: kind.captions, Captions: kind.captions,
			Train: draw(40, len(kind.captions), uint64(10+k), kind.shade),
			Test:  draw(30, len(kind.captions), uint64(20+k), kind.shade),
			Hash:  "hash of " + kind.name,
		})
	}
	return tasks
}

func tinyEncoder(t testing.TB) *encoder.Encoder {
	t.Helper()
	return tinyOf(t, "clip")
}

func tinyOf(t testing.TB, family string) *encoder.Encoder {
	t.Helper()
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	var captions []string
	for _, task := range tinyTasks() {
		captions = append(captions, task.Captions...)
	}
	e, err := encodertest.TinyOf(b, family, captions...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func value[T any](v T) *T { return &v }

// tinySpec is 12 runs in well under a second.
func tinySpec() Spec {
	return Spec{
		Methods: []string{"full", "probe"}, Seeds: []int{0, 1},
		Changes: Overrides{Rate: value(3e-3), Steps: value(8), Batch: value(8)},
	}
}
