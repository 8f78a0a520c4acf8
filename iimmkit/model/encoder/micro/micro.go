// Package micro carries small trained checkpoints in the binary. Importing it
// makes encoder.Open find them: micro-clip, also called micro.
//
// They are trained by the project itself on its synthetic world (iimm
// pretrain); MODEL_CARD.md beside the weights tells how and what they can do.
package micro

import (
	"embed"
	"io/fs"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
)

//go:embed clip
var files embed.FS

func init() {
	clip, err := fs.Sub(files, "clip")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	register(clip, "micro-clip", "micro")
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
