// Package micro carries small trained checkpoints in the binary. Importing it
// makes encoder.Open find them: micro-clip, also called micro, micro-siglip,
// micro-coca and micro-eva02.
//
// They are trained by the project itself on its synthetic world (iimm
// pretrain); MODEL_CARD.md beside the weights tells how and what they can do.
package micro

import (
	"embed"
	"io/fs"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

//go:embed clip coca eva02 siglip
var files embed.FS

// families are those of which there is a checkpoint, in a folder of that name.
var families = []string{"clip", "siglip", "coca", "eva02"}

func init() {
	for _, family := range families {
		folder, err := fs.Sub(files, family)
		if err != nil {
			panic(err) // the folder is embedded above
		}
		names := []string{"micro-" + family}
		if family == "clip" {
			names = append(names, "micro")
		}
		register(folder, names...)
	}
}

var folders = map[string]fs.FS{}

func register(folder fs.FS, names ...string) {
	encoder.Register(folder, names...)
	for _, name := range names {
		folders[name] = folder
	}
}

// Files returns the folder of a checkpoint of this package, false when it
// carries none of that name.
func Files(name string) (fs.FS, bool) {
	folder, ok := folders[name]
	return folder, ok
}
