package datasets

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// cifarForm is one of the four forms in which CIFAR is given away. Pictures are
// 32 x 32 pixels, channel by channel.
type cifarForm struct {
	folder      string
	train, test []string
	// names is the file of the class names; of a pickle, key holds them and
	// labels the labels.
	names, key, labels string
	// prefix counts the label bytes before a binary record's pixels, of which the
	// last is the class.
	prefix int
}

var cifarForms = []cifarForm{
	{"cifar-10-batches-py", cifarBatches(""), []string{"test_batch"}, "batches.meta", "label_names", "labels", 0},
	{"cifar-100-python", []string{"train"}, []string{"test"}, "meta", "fine_label_names", "fine_labels", 0},
	{"cifar-10-batches-bin", cifarBatches(".bin"), []string{"test_batch.bin"}, "batches.meta.txt", "", "", 1},
	{"cifar-100-binary", []string{"train.bin"}, []string{"test.bin"}, "fine_label_names.txt", "", "", 2},
}

func cifarBatches(suffix string) (names []string) {
	for i := range 5 {
		names = append(names, fmt.Sprintf("data_batch_%d%s", i+1, suffix))
	}
	return names
}

// find returns the folder of the form's files, empty when they are not there.
func (c cifarForm) find(folder string) string {
	dir := holding(folder, c.names, c.folder)
	if dir == "" || holding(dir, c.test[0]) == "" {
		return ""
	}
	return dir
}

func isCIFAR(path string, folder bool) bool {
	for _, c := range cifarForms {
		if folder && c.find(path) != "" {
			return true
		}
	}
	return false
}

// readCIFAR reads CIFAR-10 and CIFAR-100, binary and pickled. Pickles are read
// without running them.
func readCIFAR(folder string, _ FolderOptions, _ *Problems) (*Source, error) {
	for _, c := range cifarForms {
		if dir := c.find(folder); dir != "" {
			return c.read(folder, dir)
		}
	}
	return nil, fmt.Errorf("%s holds no files of CIFAR", displayName(folder))
}

func (c cifarForm) read(folder, dir string) (*Source, error) {
	var names []string
	var err error
	if c.key == "" {
		names, err = readLines([]string{dir}, c.names)
	} else {
		var meta map[string]tensorfile.Tensor
		if meta, err = tensorfile.ReadPickle(filepath.Join(dir, c.names)); err == nil {
			if names, err = meta[c.key].Strings(); err != nil {
				err = fmt.Errorf("%s: %s: %w", filepath.Join(dir, c.names), c.key, err)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	var parts []pixelPart
	add := func(files []string, split string) error {
		for _, file := range files {
			p, err := c.batch(filepath.Join(dir, file))
			if err != nil {
				return err
			}
			p.split, p.id = split, file
			parts = append(parts, p)
		}
		return nil
	}
	if err := add(c.train, "train"); err != nil {
		return nil, err
	}
	if err := add(c.test, "test"); err != nil {
		return nil, err
	}
	return pixelSource(folder, names, parts)
}

// batch reads one file of pictures.
func (c cifarForm) batch(path string) (pixelPart, error) {
	const side = 32
	const size = side * side * 3
	p := pixelPart{pixels: rawPixels{width: side, height: side, channels: 3, start: c.prefix, stride: size + c.prefix, column: 1, row: side, plane: side * side}}
	if c.key == "" {
		f, n, err := whole(path, size+c.prefix)
		if err != nil {
			return p, err
		}
		p.pixels.data, p.pixels.n = f, n
		label := make([]byte, 1)
		for i := range n {
			if _, err := f.ReadAt(label, int64(i*p.pixels.stride+c.prefix-1)); err != nil {
				return p, err
			}
			p.labels = append(p.labels, int(label[0]))
		}
		return p, nil
	}
	x, err := tensorfile.ReadPickle(path)
	if err != nil {
		return p, err
	}
	data := x["data"]
	if data.DType != tensorfile.U8 || len(data.Shape) != 2 || data.Shape[1] != size {
		return p, fmt.Errorf("%s: data of type %s and shape %v is not that of CIFAR", displayName(path), data.DType, data.Shape)
	}
	labels, err := x[c.labels].Int64s()
	if err != nil {
		return p, fmt.Errorf("%s: %s: %w", displayName(path), c.labels, err)
	}
	for _, k := range labels {
		p.labels = append(p.labels, int(k))
	}
	p.pixels.data, p.pixels.n = bytes.NewReader(data.Data), data.Shape[0]
	return p, nil
}
