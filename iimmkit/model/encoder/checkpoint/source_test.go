package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

const torchFiles = "../../../file/tensorfile/testdata/torch"

// storeTensors writes one-element tensors of the given names; each holds its
// position in names.
func storeTensors(t testing.TB, path string, names ...string) {
	t.Helper()
	var tensors []tensorfile.Tensor
	for i, n := range names {
		tensors = append(tensors, tensorfile.FromFloat32(n, []int{1}, []float32{float32(i)}))
	}
	if err := tensorfile.WriteSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(b))
}

// folder makes a folder with empty checkpoints of the given names, safetensors
// and torch's, and with other empty files.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		switch filepath.Ext(n) {
		case ".safetensors":
			storeTensors(t, filepath.Join(dir, n), n)
		case ".bin", ".pt", ".pth":
			copyFile(t, filepath.Join(torchFiles, "module.pt"), filepath.Join(dir, n))
		default:
			write(t, filepath.Join(dir, n), "")
		}
	}
	return dir
}

func TestOpenTakesTheBestOfSeveralFiles(t *testing.T) {
	for _, c := range []struct {
		files []string // the first is the one to take, the rest is not read
		other []string
	}{
		{[]string{"model.safetensors"}, []string{"config.json", "training_args.bin"}},
		{[]string{"open_clip_model.safetensors"}, []string{"open_clip_config.json"}},
		{[]string{"model.safetensors"}, []string{"open_clip_config.json"}},
		{[]string{"model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"}, []string{"config.json"}},
		{[]string{"open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.safetensors", "pytorch_model.bin"}, []string{"config.json", "open_clip_config.json"}},
		{[]string{"open_clip_pytorch_model.bin", "model.safetensors"}, []string{"config.json", "open_clip_config.json"}},
		{[]string{"pytorch_model.bin"}, []string{"epoch_1.pt", "epoch_2.pt"}},
		{[]string{"open_clip_pytorch_model.bin"}, nil},
		{[]string{"epoch_32.pt"}, nil},
		{[]string{"weights.pth"}, []string{"optimizer.bin"}},
		{[]string{"weights.safetensors", "a.pt", "b.pt"}, nil},
	} {
		s, err := Open(folder(t, append(c.other, c.files...)...))
		if err != nil {
			t.Errorf("%v: %v", c.files, err)
			continue
		}
		if s.Where("") != c.files[0] || !slices.Equal(s.Unread(), c.files[1:]) {
			t.Errorf("%v: took %s, left %v", c.files, s.Where(""), s.Unread())
		}
		if len(s.Names()) == 0 {
			t.Errorf("%v: no tensors", c.files)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for want, files := range map[string][]string{
		"no weights: there is none of model.safetensors, ": {"config.json", "training_args.bin"},
		"There are a.pt, b.pth, and no model.safetensors":  {"b.pth", "a.pt"},
		"model-00001-of-00002.safetensors, model-00002":    {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"},
	} {
		if s, err := Open(folder(t, files...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v %v, want %q", files, s, err, want)
		}
	}
	if s, err := Open(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Errorf("a folder that is not there: %v", s)
	}
}

func TestTensorsOfParallelTrainingLoseTheirPrefix(t *testing.T) {
	dir := t.TempDir()
	copyFile(t, filepath.Join(torchFiles, "training.pt"), filepath.Join(dir, "epoch_3.pt"))
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := []string{"0.bias", "0.weight", "1.bias", "1.weight"}; !slices.Equal(s.Names(), want) {
		t.Errorf("%v, want %v", s.Names(), want)
	}
	shape, data, err := s.Float32("0.weight")
	if err != nil || !slices.Equal(shape, []int{2, 3}) || !slices.Equal(data, []float32{0, 1, 2, 3, 4, 5}) {
		t.Errorf("%v %v %v", shape, data, err)
	}

	dir = t.TempDir()
	storeTensors(t, filepath.Join(dir, "model.safetensors"), "module.a", "b")
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := []string{"b", "module.a"}; !slices.Equal(s.Names(), want) {
		t.Errorf("a prefix of some only: %v, want %v", s.Names(), want)
	}
}

func TestFloat32OfAMappedFileIsNoCopy(t *testing.T) {
	for _, dir := range []string{folder(t, "model.safetensors"), folder(t, "pytorch_model.bin")} {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, a, err := s.Float32(s.Names()[0])
		if err != nil {
			t.Fatal(err)
		}
		_, b, err := s.Float32(s.Names()[0])
		if err != nil || &a[0] != &b[0] {
			t.Errorf("%s: values are copied (%v)", s.Where(""), err)
		}
	}
}

func TestIntegersAreNoWeights(t *testing.T) {
	dir := t.TempDir()
	ids := tensorfile.FromInt64("ids", []int{2}, []int64{1, 2})
	if err := tensorfile.WriteSafetensors(filepath.Join(dir, "model.safetensors"), []tensorfile.Tensor{ids}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = Read(s, nil, []Want{{"ids", []int{2}}}, nil)
	if err == nil || !strings.Contains(err.Error(), `model.safetensors: tensor "ids": want floating point, have I64`) {
		t.Error(err)
	}
}

func indexOf(t testing.TB, shards map[string]string) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"metadata": map[string]int{"total_size": 12}, "weight_map": shards})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOpenReadsShards(t *testing.T) {
	dir := t.TempDir()
	one, two := "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	storeTensors(t, filepath.Join(dir, one), "b", "a")
	storeTensors(t, filepath.Join(dir, two), "x", "y", "c")
	write(t, filepath.Join(dir, "model.safetensors.index.json"), indexOf(t, map[string]string{"a": one, "b": one, "c": two, "x": two, "y": two}))
	embedded, err := OpenFS(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Source{mapped, embedded} {
		if !slices.Equal(s.Names(), []string{"a", "b", "c", "x", "y"}) || s.Where("c") != two || s.Where("z") != "model.safetensors.index.json" {
			t.Errorf("%v %s %s", s.Names(), s.Where("c"), s.Where("z"))
		}
		for name, want := range map[string]float32{"a": 1, "b": 0, "c": 2, "x": 0, "y": 1} {
			if _, v, err := s.Float32(name); err != nil || v[0] != want {
				t.Errorf("%s = %v %v, want %v", name, v, err, want)
			}
		}
		if _, _, err := s.Float32("z"); err == nil || !strings.Contains(err.Error(), "index.json") {
			t.Errorf("a tensor that is not there: %v", err)
		}
		_, err := Read(s, nil, []Want{{"a", []int{1}}, {"b", []int{2}}, {"c", []int{3}}, {"d", []int{1}}, {"x", nil}}, nil)
		want := "model.safetensors.index.json: the weights do not fit the configuration: missing tensors: d; wrong tensors: " +
			one + ": b has shape [1], not [2], " + two + ": c has shape [1], not [3]; unexpected tensors: y"
		if err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}

	dir = t.TempDir()
	copyFile(t, filepath.Join(torchFiles, "module.pt"), filepath.Join(dir, "pytorch_model-00001-of-00001.bin"))
	index := map[string]string{}
	for _, n := range []string{"0.weight", "0.bias", "1.weight", "1.bias"} {
		index[n] = "pytorch_model-00001-of-00001.bin"
	}
	write(t, filepath.Join(dir, "pytorch_model.bin.index.json"), indexOf(t, index))
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Names()) != 4 {
		t.Errorf("%v", s.Names())
	}
}

func TestOpenRefusesBadIndexes(t *testing.T) {
	for name, c := range map[string]struct{ index, want string }{
		"no JSON":         {"weights", "invalid character"},
		"no map":          {`{"metadata":{}}`, "no object weight_map"},
		"a list":          {`{"weight_map":["a.safetensors"]}`, "no object weight_map"},
		"empty":           {`{"weight_map":{}}`, "is empty"},
		"a number":        {`{"weight_map":{"a":1}}`, `"1" is not a .safetensors file of this folder`},
		"an object":       {`{"weight_map":{"a":{"b":"one.safetensors"}}}`, "is not a .safetensors file"},
		"outside":         {`{"weight_map":{"a":"../one.safetensors"}}`, `tensor "a": "../one.safetensors" is not a .safetensors file of this folder`},
		"absolute":        {`{"weight_map":{"a":"/one.safetensors"}}`, "of this folder"},
		"Windows":         {`{"weight_map":{"a":"..\\one.safetensors"}}`, "of this folder"},
		"drive":           {`{"weight_map":{"a":"c:one.safetensors"}}`, "of this folder"},
		"a pickle":        {`{"weight_map":{"a":"one.bin"}}`, "of this folder"},
		"twice":           {`{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}`, `tensor "a" comes twice`},
		"missing shards":  {`{"weight_map":{"a":"one.safetensors","b":"four.safetensors","c":"three.safetensors"}}`, "shards that are not there: four.safetensors, three.safetensors"},
		"missing tensor":  {`{"weight_map":{"a":"one.safetensors","z":"one.safetensors"}}`, "one.safetensors: it lacks tensors that model.safetensors.index.json places there: z"},
		"stranger":        {`{"weight_map":{"b":"two.safetensors"}}`, "two.safetensors: it holds tensors that model.safetensors.index.json does not place there: a"},
		"in two shards":   {`{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}`, "two.safetensors: it holds tensors"},
		"a damaged shard": {`{"weight_map":{"a":"cut.safetensors"}}`, "cut.safetensors: not a safetensors file"},
	} {
		dir := t.TempDir()
		storeTensors(t, filepath.Join(dir, "one.safetensors"), "a")
		storeTensors(t, filepath.Join(dir, "two.safetensors"), "a", "b")
		write(t, filepath.Join(dir, "cut.safetensors"), "\x10")
		write(t, filepath.Join(dir, "model.safetensors.index.json"), c.index)
		s, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v %v, want %q", name, s, err, c.want)
		}
	}
}

func TestOpenNamesADamagedFile(t *testing.T) {
	for name, want := range map[string]string{
		"model.safetensors": "model.safetensors: not a safetensors file",
		"pytorch_model.bin": "pytorch_model.bin: not a file of torch.save",
	} {
		for _, content := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x10{}", "PK\x03\x04"} {
			if _, err := OpenFS(fstest.MapFS{name: &fstest.MapFile{Data: []byte(content)}}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %q: %v", name, content, err)
			}
		}
	}
}

// Cutting a checkpoint into shards must change nothing.
func TestFixtureShardsEqualTheWhole(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(reference.Fixtures(t, "models"), "*", "model.safetensors"))
	if err != nil || len(folders) == 0 {
		t.Fatal("no checkpoints among the fixtures", err)
	}
	for _, file := range folders {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			whole, err := Open(filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			defer whole.Close()
			stored, err := tensorfile.OpenSafetensors(file)
			if err != nil {
				t.Fatal(err)
			}
			defer stored.Close()
			names := []string{"model-1.safetensors", "model-2.safetensors", "model-3.safetensors"}
			shards, index := make([][]tensorfile.Tensor, len(names)), map[string]string{}
			for i, n := range stored.Names() {
				x, err := stored.Tensor(n)
				if err != nil {
					t.Fatal(err)
				}
				k := i % len(names)
				shards[k], index[n] = append(shards[k], x), names[k]
			}
			dir := t.TempDir()
			for k, n := range names {
				if err := tensorfile.WriteSafetensors(filepath.Join(dir, n), shards[k], nil); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(dir, "model.safetensors.index.json"), indexOf(t, index))
			parts, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer parts.Close()
			if !slices.Equal(whole.Names(), parts.Names()) {
				t.Fatalf("%v, whole: %v", parts.Names(), whole.Names())
			}
			floats := 0
			for _, n := range whole.Names() {
				shape, want, err := whole.Float32(n)
				shape2, got, err2 := parts.Float32(n)
				if (err == nil) != (err2 == nil) || !slices.Equal(shape, shape2) || !slices.Equal(got, want) {
					t.Errorf("%s differs (%v, %v)", n, err, err2)
				}
				if err == nil {
					floats++
				}
			}
			if floats == 0 {
				t.Error("no floating-point tensors")
			}
		})
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(indexOf(f, map[string]string{"a": "one.safetensors", "b": "two.safetensors"})))
	f.Add([]byte(`{"weight_map":{"a":"../one.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":{"b":["c"]}}}`))
	f.Add([]byte(`{"weight_map":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		index, err := parseIndex(data, ".safetensors")
		if err != nil {
			return
		}
		for tensor, shard := range index {
			if filepath.Base(shard) != shard || filepath.Ext(shard) != ".safetensors" || !filepath.IsLocal(shard) {
				t.Errorf("%q is looked for in %q", tensor, shard)
			}
		}
	})
}
