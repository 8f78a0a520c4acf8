package finetune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/transformer"
)

// lora is LoRA (Hu et al., 2021): W + s·B·A in place of the query and value
// matrices of all blocks, W staying as it is. The sum is formed anew from W in
// every graph and once, at the end, in the encoder: nothing accumulates.
var lora = Method{
	Name:        "lora",
	About:       "low-rank updates of the query and value matrices of all blocks of both towers",
	MovesTowers: true,
	Forgets:     true,
	Rate:        3e-3,
	open:        openLoRA,
	own:         func(from Options, to *Options) { to.LoRA = from.LoRA },
}

// LoRAOptions are the hyper-parameters of method lora.
type LoRAOptions struct {
	Rank int `json:"rank"`
	// Scale is s. 0: Alpha/Rank.
	Scale float64 `json:"scale,omitempty"`
	Alpha float64 `json:"alpha,omitempty"`
	// MLP updates the two matrices of the blocks' MLPs as well.
	MLP bool `json:"mlp,omitempty"`
}

func (o LoRAOptions) scale() float64 {
	if o.Scale != 0 {
		return o.Scale
	}
	return o.Alpha / float64(o.Rank)
}

// loraStd is the standard deviation of A at the start. B starts at 0.
const loraStd = .02

// LoRA is the update of a tuned encoder.
type LoRA struct {
	Rank  int
	Scale float64
	Pairs []LoRAPair
}

// LoRAPair is the update s·B·A of Rows rows, from row First, of a weight.
type LoRAPair struct {
	Name        string // of the pair, such as transformer.resblocks.0.attn.lora_q
	Weight      string // that it updates, of Rows or more rows and Columns columns
	First, Rows int
	Columns     int
	A           []float32 // [rank, Columns]
	B           []float32 // [Rows, rank]
}

type loraTowers struct {
	*towers
	plain *encoder.Encoder // without the update
	scale float64
	rank  int
	pairs []LoRAPair // without values
	// a and b are the variables of the pairs.
	a, b []*model.Variable
}

func openLoRA(m Method, e *encoder.Encoder, o Options) (Tuner, error) {
	if o.LoRA.Rank < 1 {
		return nil, fmt.Errorf("method %s: rank %d: at least 1 is needed", m.Name, o.LoRA.Rank)
	}
	l := &loraTowers{plain: e, scale: o.LoRA.scale(), rank: o.LoRA.Rank}
	if !(l.scale > 0) || math.IsInf(l.scale, 0) {
		return nil, fmt.Errorf("method %s: scale %g is not a positive number", m.Name, l.scale)
	}
	for _, name := range e.WeightNames() {
		if inBlock(name) && (!o.FixedText || inImageTower(name)) {
			l.pairs = append(l.pairs, pairsOf(name, e.Weight(name).Shape().Dimensions, o.LoRA.MLP)...)
		}
	}
	l.towers = &towers{fixedText: o.FixedText}
	for _, p := range l.pairs {
		if widest := min(p.Rows, p.Columns); o.LoRA.Rank > widest {
			return nil, fmt.Errorf("method %s: rank %d of an update of %s, which has rank %d", m.Name, o.LoRA.Rank, p.Weight, widest)
		}
		a, b := l.variable(p.Name+".A", l.rank, p.Columns), l.variable(p.Name+".B", p.Rows, l.rank)
		l.a, l.b = append(l.a, a), append(l.b, b)
		l.vars = append(l.vars, a, b)
	}
	l.e = e.Over(transformer.NewWeights(e.Store()).Changed(l.change))
	return newDescent(m, e, o, l)
}

// pairsOf lists the updates of a block's weight.
func pairsOf(name string, dims []int, mlp bool) []LoRAPair {
	block, ok := strings.CutSuffix(name, ".attn.in_proj_weight")
	if ok {
		third := dims[0] / 3 // rows q, k, v
		return []LoRAPair{
			{Name: block + ".attn.lora_q", Weight: name, First: 0, Rows: third, Columns: dims[1]},
			{Name: block + ".attn.lora_v", Weight: name, First: 2 * third, Rows: third, Columns: dims[1]},
		}
	}
	for weight, pair := range map[string]string{".mlp.c_fc.weight": ".mlp.lora_fc", ".mlp.c_gate.weight": ".mlp.lora_gate", ".mlp.c_proj.weight": ".mlp.lora_proj"} {
		if block, ok := strings.CutSuffix(name, weight); ok && mlp {
			return []LoRAPair{{Name: block + pair, Weight: name, Rows: dims[0], Columns: dims[1]}}
		}
	}
	return nil
}

// variable returns the variable of a matrix. Tuners of one encoder share it.
func (l *loraTowers) variable(name string, rows, columns int) *model.Variable {
	path, store := fmt.Sprintf("/lora.r%d/%s", l.rank, name), l.plain.Store()
	if v := store.GetVariable(path); v != nil {
		return v
	}
	return store.VariableWithValue(path, tensors.FromFlatDataAndDimensions(make([]float32, rows*columns), rows, columns))
}

func (l *loraTowers) name(v *model.Variable) string {
	return strings.SplitN(v.Path()[1:], "/", 2)[1]
}

// change adds the updates to a weight.
func (l *loraTowers) change(name string, value *graph.Node) *graph.Node {
	g, rows := value.Graph(), 0
	var parts []*graph.Node
	fill := func(to int) {
		if to > rows {
			parts = append(parts, graph.Slice(value, graph.AxisRange(rows, to)))
		}
		rows = to
	}
	for i, p := range l.pairs {
		if p.Weight != name {
			continue
		}
		fill(p.First)
		update := graph.MulScalar(graph.Dot(l.b[i].NodeValue(g), l.a[i].NodeValue(g)).Product(), l.scale)
		parts = append(parts, graph.Add(graph.Slice(value, graph.AxisRange(p.First, p.First+p.Rows)), update))
		rows = p.First + p.Rows
	}
	if parts == nil {
		return value
	}
	fill(value.Shape().Dim(0))
	return graph.Concatenate(parts, 0)
}

func (l *loraTowers) begin(seed int) error {
	random := rand.New(rand.NewPCG(uint64(seed), 0x10aa))
	var start [][]float32
	for i := range l.pairs {
		a := make([]float32, l.a[i].Shape().Size())
		for k := range a {
			a[k] = float32(random.NormFloat64() * loraStd)
		}
		start = append(start, a, make([]float32, l.b[i].Shape().Size()))
	}
	return setValues(l.vars, start)
}

// end puts the update into the encoder.
func (l *loraTowers) end(tuned *Tuned) error {
	all, err := values(l.vars)
	if err != nil {
		return err
	}
	tuned.LoRA = &LoRA{Rank: l.rank, Scale: l.scale}
	for i, p := range l.pairs {
		p.A, p.B = all[2*i], all[2*i+1]
		tuned.LoRA.Pairs = append(tuned.LoRA.Pairs, p)
	}
	return tuned.LoRA.AddTo(l.plain, 1)
}

// AddTo adds part times the update to the weights of an encoder: 1, and they
// are the tuned ones.
func (l *LoRA) AddTo(e *encoder.Encoder, part float64) error {
	for _, p := range l.Pairs {
		v := e.Weight(p.Weight)
		if v == nil || v.Shape().Rank() != 2 || v.Shape().Dim(0) < p.First+p.Rows || v.Shape().Dim(1) != p.Columns ||
			len(p.A) != l.Rank*p.Columns || len(p.B) != p.Rows*l.Rank {
			return fmt.Errorf("the update %s does not fit model %s", p.Name, e.Name)
		}
		now, err := values([]*model.Variable{v})
		if err != nil {
			return err
		}
		for i := range p.Rows {
			row := now[0][(p.First+i)*p.Columns:][:p.Columns]
			for j := range row {
				sum := 0.
				for k := range l.Rank {
					sum += float64(p.B[i*l.Rank+k]) * float64(p.A[k*p.Columns+j])
				}
				row[j] = float32(float64(row[j]) + part*l.Scale*sum)
			}
		}
		if err := setValues([]*model.Variable{v}, now); err != nil {
			return err
		}
	}
	return nil
}
