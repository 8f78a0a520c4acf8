// Package selftest runs a model on fixed pictures and prompts through the whole
// path, from pixels and text to embeddings, and compares with vectors that a
// reference implementation computed from the same files.
//
// The vectors of the micro models ship beside their weights, as selftest.json.
// They are made, for these and for any other checkpoint, by reference.py, which
// shares no code with this project and needs torch, transformers (or open_clip
// for its layout), tokenizers and Pillow:
//
//	iimm models check MODEL --inputs inputs.json
//	python iimmkit/model/encoder/selftest/reference.py inputs.json vectors.json
//	iimm models check MODEL --reference vectors.json
package selftest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
)

// File is the name of the vectors that lie beside weights.
const File = "selftest.json"

// Tolerance is the largest difference of a component of unit-norm embeddings
// that still passes. Rounding in float32 makes some 1e-6, the slightest of
// usual mistakes (tanh GELU for erf GELU) some 1e-4.
const Tolerance = 2e-5

// Vectors are embeddings of Pictures and Prompts.
type Vectors struct {
	Schema int    `json:"schema"`
	Source string `json:"source"` // what computed them: libraries with versions
	// Reference tells vectors of another implementation from those of this one.
	Reference bool `json:"reference"`
	// Files are the SHA-256 of the checkpoint's files (hub.Files), by name.
	Files  map[string]string `json:"files"`
	Inputs string            `json:"inputs"` // InputsHash
	Images [][]float32       `json:"images"` // [pictures, d], of unit norm
	Texts  [][]float32       `json:"texts"`  // [prompts, d], of unit norm
}

// Encoder is what is tested.
type Encoder interface {
	EncodeImages(pictures []*picture.RGB) ([]float32, error)
	EncodeTexts(captions []string) ([]float32, error)
}

// Checksums returns the SHA-256 of the files of a checkpoint, by name.
func Checksums(folder fs.FS) (map[string]string, error) {
	names, err := hub.Files(folder)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, name := range names {
		f, err := folder.Open(name)
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sums[name] = hex.EncodeToString(h.Sum(nil))
	}
	return sums, nil
}

// Compute embeds the inputs. files are the model's Checksums.
func Compute(e Encoder, files map[string]string, source string) (*Vectors, error) {
	v := &Vectors{Schema: 1, Source: source, Files: files, Inputs: InputsHash()}
	x, err := e.EncodeImages(Pictures())
	if err != nil {
		return nil, err
	}
	t, err := e.EncodeTexts(Prompts())
	if err != nil {
		return nil, err
	}
	v.Images, v.Texts = rows(x, len(Pictures())), rows(t, len(Prompts()))
	return v, nil
}

func rows(x []float32, n int) [][]float32 {
	return slices.Collect(slices.Chunk(x, len(x)/n))
}

// Parse reads vectors; name is used in errors.
func Parse(data []byte, name string) (*Vectors, error) {
	var v Vectors
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%s: not vectors of a self-test: %w", name, err)
	}
	if v.Schema != 1 {
		return nil, fmt.Errorf("%s: schema %d of self-test vectors is not known to this version", name, v.Schema)
	}
	if len(v.Images) == 0 || len(v.Texts) == 0 || len(v.Images[0]) == 0 {
		return nil, fmt.Errorf("%s: no vectors", name)
	}
	for _, row := range slices.Concat(v.Images, v.Texts) {
		var sum float64
		for _, x := range row {
			sum += float64(x) * float64(x)
		}
		if len(row) != len(v.Images[0]) || math.Abs(sum-1) > 1e-3 {
			return nil, fmt.Errorf("%s: its vectors are not of one width and unit length", name)
		}
	}
	return &v, nil
}

// Encode writes the vectors as Parse reads them, a row a line.
func (v *Vectors) Encode() ([]byte, error) {
	head := *v
	head.Images, head.Texts = nil, nil
	data, err := json.MarshalIndent(head, "", " ")
	if err != nil {
		return nil, err
	}
	for key, list := range map[string][][]float32{"images": v.Images, "texts": v.Texts} {
		var b bytes.Buffer
		for i, row := range list {
			line, err := json.Marshal(row)
			if err != nil {
				return nil, err
			}
			b.WriteString([]string{"[\n  ", ",\n  "}[min(i, 1)])
			b.Write(line)
		}
		b.WriteString("\n ]")
		data = bytes.Replace(data, []byte(`"`+key+`": null`), append([]byte(`"`+key+`": `), b.Bytes()...), 1)
	}
	return append(data, '\n'), nil
}

// Difference is the largest absolute difference of a component.
type Difference struct {
	Images float64 `json:"images"`
	Texts  float64 `json:"texts"`
}

// Within reports whether both are at most the tolerance.
func (d Difference) Within(tolerance float64) bool {
	return d.Images <= tolerance && d.Texts <= tolerance
}

// Compare returns how far two sets of vectors are apart. Vectors of other
// files, or of other inputs, cannot be compared.
func Compare(got, want *Vectors) (Difference, error) {
	if got.Inputs != want.Inputs {
		return Difference{}, fmt.Errorf("the vectors are of another set of pictures and prompts: another version of iimm made it, or another kind of processor, on which a few pixels are drawn otherwise")
	}
	for _, name := range slices.Sorted(maps.Keys(got.Files)) {
		if got.Files[name] != want.Files[name] {
			return Difference{}, fmt.Errorf("the vectors are of another checkpoint: its %s has sha256 %q, this one %s", name, want.Files[name], got.Files[name])
		}
	}
	images, err := largest(got.Images, want.Images)
	if err != nil {
		return Difference{}, err
	}
	texts, err := largest(got.Texts, want.Texts)
	return Difference{images, texts}, err
}

func largest(a, b [][]float32) (float64, error) {
	if len(a) != len(b) {
		return 0, fmt.Errorf("%d vectors, the stored ones are %d", len(a), len(b))
	}
	var d float64
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return 0, fmt.Errorf("width %d, the stored vectors have %d", len(a[i]), len(b[i]))
		}
		for j := range a[i] {
			x := math.Abs(float64(a[i][j]) - float64(b[i][j]))
			if math.IsNaN(x) {
				return 0, fmt.Errorf("vector %d is not finite", i)
			}
			d = max(d, x)
		}
	}
	return d, nil
}

// Kept is where the vectors of a checkpoint are kept that lie not beside its
// weights: in iimm's cache, under the hash of its files and of the inputs.
func Kept(v *Vectors) (string, error) {
	dir, err := store.CacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, v.Inputs)
	for _, name := range slices.Sorted(maps.Keys(v.Files)) {
		fmt.Fprintln(h, name, v.Files[name])
	}
	return filepath.Join(dir, "selftest", hex.EncodeToString(h.Sum(nil)[:16])+".json"), nil
}
