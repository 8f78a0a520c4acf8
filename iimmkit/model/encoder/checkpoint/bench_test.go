package checkpoint

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// vitB32 lists tensors of the sizes of CLIP ViT-B/32: 151 million values.
func vitB32() []Want {
	var list []Want
	add := func(name string, shape ...int) { list = append(list, Want{name, shape}) }
	for _, t := range []struct {
		name  string
		width int
	}{{"visual.", 768}, {"", 512}} {
		for i := range 12 {
			p := fmt.Sprintf("%stransformer.resblocks.%d.", t.name, i)
			add(p+"attn.in_proj_weight", 3*t.width, t.width)
			add(p+"attn.out_proj.weight", t.width, t.width)
			add(p+"mlp.c_fc.weight", 4*t.width, t.width)
			add(p+"mlp.c_proj.weight", t.width, 4*t.width)
		}
	}
	add("token_embedding.weight", 49408, 512)
	add("visual.conv1.weight", 768, 3, 32, 32)
	return list
}

// BenchmarkOpen measures the way of a large checkpoint from the folder into
// tensors of the Go backend, the file being in the system's cache. One copy of
// its values is made: B/op is the backend's share of it.
func BenchmarkOpen(b *testing.B) {
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		b.Skip("no Go backend: ", err)
	}
	want := vitB32()
	for _, dtype := range []tensorfile.DType{tensorfile.F32, tensorfile.F16} {
		dir := b.TempDir()
		var list []tensorfile.Tensor
		values := 0
		for _, w := range want {
			data := make([]float32, size(w.Shape))
			for i := range data {
				data[i] = float32(math.Sin(float64(i)))
			}
			values += len(data)
			t := ToTensor(w.Name, Weight{w.Shape, data})
			if dtype == tensorfile.F16 {
				if t, err = tensorfile.ToFloat16(t); err != nil {
					b.Fatal(err)
				}
			}
			list = append(list, t)
		}
		if err := tensorfile.WriteSafetensors(filepath.Join(dir, "model.safetensors"), list, nil); err != nil {
			b.Fatal(err)
		}
		list = nil
		b.Run(string(dtype), func(b *testing.B) {
			b.SetBytes(int64(4 * values))
			b.ReportAllocs()
			for b.Loop() {
				src, err := Open(dir)
				if err != nil {
					b.Fatal(err)
				}
				var made []*tensors.Tensor
				err = Each(src, nil, want, nil, func(name string, w Weight) error {
					t, err := tensors.FromRaw(backend, 0, shapes.Make(dtypes.Float32, w.Shape...), ToTensor(name, w).Data)
					made = append(made, t)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
				if err := src.Close(); err != nil {
					b.Fatal(err)
				}
				for _, t := range made {
					if err := t.FinalizeAll(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
