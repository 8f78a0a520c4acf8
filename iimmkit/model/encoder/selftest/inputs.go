package selftest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/iimmkit/iimm/datasets/world"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// seed of the drawn pictures; no model was trained with it.
const seed = 20240715

// sizes of the pictures, in tiles of the drawn world and then in pixels: equal
// to the micro models' input, larger and smaller than those of the others,
// upright, lying, and with margins that do not halve. Where both passes of a
// resize are needed their order, which Pillow 13 changed, is the same in all
// versions.
var sizes = []struct{ columns, rows, width, height int }{
	{1, 1, 32, 32}, {1, 1, 32, 32}, {1, 1, 32, 32}, {1, 1, 32, 32},
	{2, 1, 64, 32}, {1, 2, 32, 64}, {2, 2, 61, 45}, {2, 3, 60, 83}, {4, 3, 128, 96},
	{10, 8, 320, 256}, {12, 12, 365, 384},
}

// Pictures returns the pictures of the test, always the same ones. Each is made
// of tiles of the synthetic world.
func Pictures() []*picture.RGB {
	var list []*picture.RGB
	var index uint64
	for _, s := range sizes {
		canvas := picture.New(s.columns*world.Size, s.rows*world.Size)
		for i := range s.columns * s.rows {
			tile := picture.New(world.Size, world.Size)
			world.Pair(seed, index, tile.Pix)
			index++
			canvas.Paste(tile, i%s.columns*world.Size, i/s.columns*world.Size)
		}
		list = append(list, canvas.Crop(0, 0, s.width, s.height))
	}
	return list
}

// fixed prompts go beyond the world's words; the last is longer than the micro
// models read. All are in small letters without punctuation, which reference
// implementations treat differently.
var fixed = []string{
	"a photo of a cat", "a photo of a dog", "three red apples on a wooden table", "the number 7", "xylophone", "a centered satellite photo of a river",
	strings.TrimSpace(strings.Repeat("a big blue ring and a small green star next to ", 4)) + " a house",
}

// Prompts returns the prompts of the test, always the same ones: captions of the
// first pictures, and fixed ones.
func Prompts() []string {
	var list []string
	pix := make([]uint8, world.Bytes)
	for i := range uint64(6) {
		list = append(list, plain(world.Pair(seed, i, pix)[0]))
	}
	return append(list, fixed...)
}

// plain leaves small letters, digits and single spaces.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), " ")
}

// InputsHash identifies Pictures and Prompts: a SHA-256 in hexadecimal.
func InputsHash() string {
	h := sha256.New()
	for _, p := range Pictures() {
		fmt.Fprintf(h, "%d %d\n", p.Width, p.Height)
		h.Write(p.Pix)
	}
	for _, p := range Prompts() {
		fmt.Fprintf(h, "%q\n", p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Inputs is what reference.py reads: the inputs, and which model to embed them with.
func Inputs(dir string, files map[string]string) ([]byte, error) {
	type image struct {
		Width  int    `json:"width"`
		Height int    `json:"height"`
		RGB    []byte `json:"rgb"` // base64 of rows from the top
	}
	in := struct {
		Schema   int               `json:"schema"`
		Dir      string            `json:"dir"`
		Files    map[string]string `json:"files"`
		Inputs   string            `json:"inputs"`
		Pictures []image           `json:"pictures"`
		Prompts  []string          `json:"prompts"`
	}{Schema: 1, Dir: dir, Files: files, Inputs: InputsHash(), Prompts: Prompts()}
	for _, p := range Pictures() {
		in.Pictures = append(in.Pictures, image{p.Width, p.Height, p.Pix})
	}
	return json.Marshal(in)
}
