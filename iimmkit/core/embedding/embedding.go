// Package embedding holds what is measured: image embeddings with their
// classes, caption embeddings, and where they come from. It reads and writes
// the formats such sets are kept in, and examines a set before any number is
// made of it (Check).
package embedding

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// Matrix is Rows x Cols numbers, row by row, in the precision they are stored
// in: one of F32 and F64 is set. It may alias a memory map and must not be
// written to.
type Matrix struct {
	Rows, Cols int
	F32        []float32
	F64        []float64
}

// Float32 makes a matrix of data, which it aliases.
func Float32(rows, cols int, data []float32) Matrix {
	return Matrix{Rows: rows, Cols: cols, F32: data}
}

// Float64 makes a matrix of data, which it aliases.
func Float64(rows, cols int, data []float64) Matrix {
	return Matrix{Rows: rows, Cols: cols, F64: data}
}

// Float32s returns the numbers as float32, copied and rounded only when they
// are float64.
func (m Matrix) Float32s() []float32 {
	if m.F64 == nil {
		return m.F32
	}
	out := make([]float32, len(m.F64))
	for i, v := range m.F64 {
		out[i] = float32(v)
	}
	return out
}

// Float64s returns the numbers as float64, copied only when they are float32.
func (m Matrix) Float64s() []float64 {
	if m.F64 != nil {
		return m.F64
	}
	out := make([]float64, len(m.F32))
	for i, v := range m.F32 {
		out[i] = float64(v)
	}
	return out
}

// rows returns rows lo..hi-1, which alias m.
func (m Matrix) rows(lo, hi int) Matrix {
	if m.F64 != nil {
		return Float64(hi-lo, m.Cols, m.F64[lo*m.Cols:hi*m.Cols])
	}
	return Float32(hi-lo, m.Cols, m.F32[lo*m.Cols:hi*m.Cols])
}

func (m Matrix) valid(what string) error {
	switch {
	case m.F32 != nil && m.F64 != nil:
		return fmt.Errorf("%s are given in two precisions", what)
	case m.Rows < 0 || m.Cols < 1:
		return fmt.Errorf("%s have shape [%d, %d]", what, m.Rows, m.Cols)
	case len(m.F32)+len(m.F64) != m.Rows*m.Cols:
		return fmt.Errorf("%s have shape [%d, %d], but %d numbers", what, m.Rows, m.Cols, len(m.F32)+len(m.F64))
	}
	return nil
}

// Set is the embeddings of one task by one model.
type Set struct {
	Images     Matrix   // [N,d]
	Labels     []int    // [N], classes 0..C-1
	Texts      Matrix   // [C,d], one caption per class
	ClassNames []string // [C], or none where the source has no names
	// Prompts [C] are the captions as they were encoded, those of an ensemble on
	// a line each, or none.
	Prompts    []string
	IDs        []string // [N] names of the images for people, or none
	Provenance Provenance

	unmap []func() error
}

// Provenance says where a set comes from; what is unknown is empty.
type Provenance struct {
	Model   string  `json:"model"`
	Task    string  `json:"task"`
	Split   string  `json:"split"`
	Backend string  `json:"backend"`
	Seed    *uint64 `json:"seed"` // nil: unknown; 0 is a seed
	// Normalized tells that the writer divided the rows by their norms.
	Normalized bool `json:"normalized"`
	// LogitScale is the model's factor on cosines before a softmax over captions.
	LogitScale *float64 `json:"logit_scale,omitempty"`
	// Hashes identify what the numbers depend on: captions (CaptionHash),
	// model, preprocessing, activation, task.
	Hashes map[string]string `json:"hashes"`
}

// CaptionHash is the hash of class names and prompts that artefacts carry
// under "captions": SHA-256, in hex, of their JSON [class names, prompts]
// without spaces, in UTF-8 (Python: json.dumps(lists, separators=(",", ":"),
// ensure_ascii=False)).
func CaptionHash(classNames, prompts []string) string {
	lists := [2][]string{{}, {}}
	lists[0] = append(lists[0], classNames...)
	lists[1] = append(lists[1], prompts...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(lists); err != nil {
		panic(err) // strings always have a JSON form
	}
	sum := sha256.Sum256(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return hex.EncodeToString(sum[:])
}

// Classes returns C, the number of captions.
func (s *Set) Classes() int { return s.Texts.Rows }

// ClassName returns the number of class c and its name where there is one.
func (s *Set) ClassName(c int) string {
	if c >= 0 && c < len(s.ClassNames) {
		return fmt.Sprintf("%d (%s)", c, s.ClassNames[c])
	}
	return fmt.Sprint(c)
}

// imageName returns the number of an image and its id where there is one, on
// one line.
func (s *Set) imageName(i int) string {
	if i < len(s.IDs) {
		return fmt.Sprintf("%d (%s)", i, strings.Join(strings.Fields(s.IDs[i]), " "))
	}
	return fmt.Sprint(i)
}

// valid checks that the parts fit together in size.
func (s *Set) valid() error {
	if err := s.Images.valid("images"); err != nil {
		return err
	}
	if err := s.Texts.valid("texts"); err != nil {
		return err
	}
	switch {
	case len(s.Labels) != s.Images.Rows:
		return fmt.Errorf("%d labels for %d images", len(s.Labels), s.Images.Rows)
	case s.Images.Cols != s.Texts.Cols:
		return fmt.Errorf("images have width %d, texts %d: they are not of one model", s.Images.Cols, s.Texts.Cols)
	case len(s.IDs) > 0 && len(s.IDs) != s.Images.Rows:
		return fmt.Errorf("%d ids for %d images", len(s.IDs), s.Images.Rows)
	}
	return nil
}

// Close releases the file a set was read from; its numbers must not be used
// afterwards. A set made in memory has nothing to release.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.unmap {
		errs = append(errs, f())
	}
	s.unmap = nil
	return errors.Join(errs...)
}

// ErrFormat is in the chain of errors about a path whose name does not say
// which format it has, or an option that its format does not take.
var ErrFormat = errors.New("embedding format")

type formatError struct{ message string }

func (e formatError) Error() string { return e.message }
func (e formatError) Unwrap() error { return ErrFormat }

// Option changes how Open reads.
type Option func(*options)

type options struct{ texts string }

// Texts names the caption file of a set whose images are a table: .csv, .npy or
// of a registered format.
func Texts(path string) Option { return func(o *options) { o.texts = path } }

// Open reads a set by the name of path:
//
//   - .safetensors: tensors images [N,d], labels [N], texts [C,d], names and
//     provenance in the metadata; memory mapped.
//   - .npz: arrays images, labels, texts, and if present class_names, prompts,
//     ids; read into memory.
//   - a folder of .npy files, images labels texts or the published
//     *_im_features *_labels *_text_features, or the common start of such
//     names; memory mapped.
//   - .pt, .pth: a dict of tensors that torch.save wrote, named as in
//     safetensors; or images.pt, labels.pt and texts.pt in a folder, a tensor
//     each; memory mapped. No code in them is run.
//   - .csv: a pair of tables. N rows of d numbers and the label, the captions,
//     C rows, in the file Texts names, else in NAME.texts.csv. Without a header
//     the label is last (the published form); a header names it label and may
//     name id, and with captions label, class_name and prompt.
//   - further formats that a package linked for it registers; see Register.
//
// Half precision is widened, other precisions are kept. Sizes must fit
// together; what else can be wrong with a set is Check's to find.
func Open(path string, opts ...Option) (*Set, error) {
	var o options
	for _, f := range opts {
		f(&o)
	}
	s, err := open(path, o)
	if err != nil {
		return nil, err
	}
	if err := s.valid(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func open(path string, o options) (*Set, error) {
	ext := strings.ToLower(filepath.Ext(path))
	if ext == ".csv" {
		return readCSV(path, o.texts)
	}
	if f, registered := formats[ext]; registered {
		return readTables(path, o.texts, f)
	}
	if o.texts != "" {
		return nil, formatError{fmt.Sprintf("%s holds its captions itself: a file of captions goes with a table of images, such as .csv", path)}
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return readFolder(path)
	case err != nil && errors.Is(err, fs.ErrNotExist):
		if prefix := publishedPrefix(path); prefix != nil {
			return prefix.read()
		}
	}
	switch ext {
	case ".safetensors":
		return readSafetensors(path)
	case ".npz":
		return readNPZ(path)
	case ".pt", ".pth":
		return readTorch(path)
	}
	if err != nil {
		return nil, err
	}
	return nil, formatError{fmt.Sprintf("%s: embeddings are read from %s or a folder of .npy files", path, readable())}
}

// Write writes a set whole or not at all, in the format the name of path says:
// .safetensors, .npz, or .csv, which makes a pair PATH and NAME.texts.csv of
// 8 decimals without names and provenance.
func Write(path string, s *Set) error {
	if err := s.valid(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors":
		return writeSafetensors(path, s)
	case ".npz":
		return writeNPZ(path, s)
	case ".csv":
		return writeCSV(path, s)
	}
	return formatError{fmt.Sprintf("%s: embeddings are written to .safetensors, .npz or .csv", path)}
}

// matrix takes a tensor of floating-point numbers as [rows, cols].
func matrix(t tensorfile.Tensor) (Matrix, error) {
	if len(t.Shape) != 2 {
		return Matrix{}, fmt.Errorf("%q has shape %v, want [rows, width]", t.Name, t.Shape)
	}
	m := Matrix{Rows: t.Shape[0], Cols: t.Shape[1]}
	var err error
	if t.DType == tensorfile.F64 {
		m.F64, err = t.Float64s()
	} else {
		m.F32, err = t.Float32s()
	}
	return m, err
}

func (m Matrix) tensor(name string) tensorfile.Tensor {
	shape := []int{m.Rows, m.Cols}
	if m.F64 != nil {
		return tensorfile.FromFloat64(name, shape, m.F64)
	}
	return tensorfile.FromFloat32(name, shape, m.F32)
}

// labels takes a tensor of whole numbers as [N]; [N,1] is allowed.
func labels(t tensorfile.Tensor) ([]int, error) {
	if len(t.Shape) != 1 && !(len(t.Shape) == 2 && t.Shape[1] == 1) {
		return nil, fmt.Errorf("%q has shape %v, want [N]", t.Name, t.Shape)
	}
	v, err := t.Int64s()
	if err != nil {
		return nil, err
	}
	out := make([]int, len(v))
	for i, y := range v {
		out[i] = int(y)
	}
	return out, nil
}

func labelTensor(y []int) tensorfile.Tensor {
	v := make([]int64, len(y))
	for i := range y {
		v[i] = int64(y[i])
	}
	return tensorfile.FromInt64("labels", []int{len(y)}, v)
}
