package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// rawPixels are equally large pictures without compression, of which each program
// orders the bytes in its own way.
type rawPixels struct {
	data          io.ReaderAt
	n             int
	width, height int
	channels      int // 1 (grey) or 3 (RGB)
	start, stride int // byte where the first picture begins, and from one picture to the next
	column, row   int // bytes from one pixel to the next
	plane         int // and from one channel to the next
}

// picture returns picture i.
func (p *rawPixels) picture(i int) (*picture.RGB, error) {
	size := p.width * p.height * p.channels
	b := make([]byte, size)
	if _, err := p.data.ReadAt(b, int64(p.start)+int64(i)*int64(p.stride)); err != nil {
		return nil, fmt.Errorf("picture %d is cut off: %w", i, err)
	}
	m := picture.New(p.width, p.height)
	at := 0
	for y := range p.height {
		for x := range p.width {
			for c := range 3 {
				m.Pix[at] = b[y*p.row+x*p.column+min(c, p.channels-1)*p.plane]
				at++
			}
		}
	}
	return m, nil
}

// pixelPart is one split of a source, or a piece of one.
type pixelPart struct {
	split, id string // id begins the pictures' names
	pixels    rawPixels
	labels    []int
}

// pixelSource joins parts. Labels count the classes; names are the classes' own.
func pixelSource(path string, names []string, parts []pixelPart) (*Source, error) {
	s := &Source{Path: path, Names: names}
	for k := range names {
		s.Classes = append(s.Classes, strconv.Itoa(k))
	}
	var starts []int
	h := sha256.New()
	for _, p := range parts {
		starts = append(starts, len(s.Records))
		if len(p.labels) != p.pixels.n {
			return nil, fmt.Errorf("%s: %d pictures in %s, but %d labels", displayName(path), p.pixels.n, p.id, len(p.labels))
		}
		for i, k := range p.labels {
			if k < 0 || k >= len(names) {
				return nil, fmt.Errorf("%s: picture %d of %s is of class %d, but there are %d classes", displayName(path), i, p.id, k, len(names))
			}
			s.Records = append(s.Records, Record{ID: p.id + "#" + strconv.Itoa(i), Class: s.Classes[k], Split: p.split, Size: int64(p.pixels.stride)})
		}
		if _, err := io.Copy(h, io.NewSectionReader(p.pixels.data, int64(p.pixels.start), int64(p.pixels.n)*int64(p.pixels.stride))); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", displayName(path), p.id, err)
		}
	}
	s.Identity = hex.EncodeToString(h.Sum(nil))
	s.Picture = func(i int, _ ...picture.Option) (*picture.RGB, error) {
		part, ok := slices.BinarySearch(starts, i)
		if !ok {
			part--
		}
		return parts[part].pixels.picture(i - starts[part])
	}
	return s, nil
}

// holding returns the folder that holds a file: the given one or one of the
// named folders below it; empty when none does.
func holding(folder, file string, below ...string) string {
	for _, b := range append([]string{""}, below...) {
		if info, err := os.Stat(filepath.Join(folder, b, file)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(folder, b)
		}
	}
	return ""
}

// whole opens a file that must consist of records of the given size, and
// returns their number. It stays open as long as it is used.
func whole(path string, record int) (*os.File, int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && (info.Size() == 0 || info.Size()%int64(record) != 0) {
		err = fmt.Errorf("%s: %d bytes are not a whole number of records of %d bytes: cut off, or another file", displayName(path), info.Size(), record)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, int(info.Size() / int64(record)), nil
}

// readSTL10 reads the binary form of STL-10: 96 x 96 pixels, channel by channel
// and column by column, labels from 1. The unlabelled pictures are left alone.
func readSTL10(folder string, _ FolderOptions, _ *Problems) (*Source, error) {
	const side = 96
	dir := holding(folder, "test_X.bin", "stl10_binary")
	if dir == "" {
		return nil, fmt.Errorf("%s holds no files of STL-10", displayName(folder))
	}
	names, err := readLines([]string{dir}, "class_names.txt")
	if err != nil {
		return nil, err
	}
	if len(names) != 10 {
		return nil, fmt.Errorf("%s: class_names.txt names %d classes, not 10", displayName(dir), len(names))
	}
	var parts []pixelPart
	for _, split := range []string{"train", "test"} {
		f, n, err := whole(filepath.Join(dir, split+"_X.bin"), side*side*3)
		if err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(filepath.Join(dir, split+"_y.bin"))
		if err != nil {
			return nil, err
		}
		labels := make([]int, len(raw))
		for i, b := range raw {
			labels[i] = int(b) - 1
		}
		parts = append(parts, pixelPart{split, split + "_X.bin", rawPixels{data: f, n: n, width: side, height: side, channels: 3,
			stride: side * side * 3, column: side, row: 1, plane: side * side}, labels})
	}
	return pixelSource(folder, names, parts)
}

// readSVHN reads the cropped form of SVHN: MATLAB files with X [32,32,3,n] and
// y [n], in which 10 stands for the digit 0.
func readSVHN(path string, _ FolderOptions, _ *Problems) (*Source, error) {
	var parts []pixelPart
	read := func(file, split string) error {
		variables, err := readMatlab(file)
		if err != nil {
			return err
		}
		x, y := variables["X"], variables["y"]
		if x == nil || y == nil {
			return fmt.Errorf("%s: lacks the variables X and y of SVHN", displayName(file))
		}
		d := x.dims
		if len(d) == 3 { // MATLAB drops a last 1
			d = append(slices.Clone(d), 1)
		}
		data, ok := x.bytes()
		if !ok || len(d) != 4 || d[2] != 3 || d[0] < 1 || d[1] < 1 || len(data) != d[0]*d[1]*3*d[3] {
			return fmt.Errorf("%s: X of shape %v does not hold bytes [height,width,3,n]", displayName(file), x.dims)
		}
		values, err := y.ints()
		if err != nil {
			return fmt.Errorf("%s: y: %w", displayName(file), err)
		}
		for i, v := range values {
			if v < 1 || v > 10 {
				return fmt.Errorf("%s: label %d of picture %d is none of SVHN's, which are 1 to 10", displayName(file), v, i)
			}
			values[i] = v % 10
		}
		h, w := d[0], d[1]
		parts = append(parts, pixelPart{split, filepath.Base(file), rawPixels{data: bytes.NewReader(data), n: d[3], width: w, height: h, channels: 3,
			stride: h * w * 3, column: h, row: 1, plane: h * w}, values})
		return nil
	}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.IsDir() {
		if err := read(path, ""); err != nil {
			return nil, err
		}
		return pixelSource(path, numerals, parts)
	}
	for _, split := range []string{"train", "test"} {
		if err := read(filepath.Join(path, split+"_32x32.mat"), split); err != nil {
			return nil, err
		}
	}
	return pixelSource(path, numerals, parts)
}

// readMNIST reads the idx files of MNIST and of the sets in its form.
func readMNIST(folder string, _ FolderOptions, problems *Problems) (*Source, error) {
	dir := mnistFolder(folder)
	if dir == "" {
		return nil, fmt.Errorf("%s holds no idx files of MNIST", displayName(folder))
	}
	var parts []pixelPart
	for _, split := range []string{"train", "t10k"} {
		images, labels := filepath.Join(dir, split+"-images-idx3-ubyte"), filepath.Join(dir, split+"-labels-idx1-ubyte")
		if _, err := os.Stat(images); err != nil {
			images, labels = images+".gz", labels+".gz"
		}
		if _, err := os.Stat(images); err != nil {
			continue // the other part may be all there is
		}
		x, err := OpenIDX(images, labels)
		if err != nil {
			return nil, err
		}
		p := x.(*packed)
		name := map[string]string{"train": "train", "t10k": "test"}[split]
		size := p.width * p.height * p.channels
		parts = append(parts, pixelPart{name, filepath.Base(images), rawPixels{data: bytes.NewReader(p.pix), n: len(p.labels), width: p.width, height: p.height,
			channels: p.channels, stride: size, column: p.channels, row: p.width * p.channels, plane: 1}, p.labels})
	}
	return pixelSource(folder, numerals, parts)
}

func mnistFolder(folder string) string {
	for _, file := range []string{"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"} {
		if dir := holding(folder, file, "raw", filepath.Join("MNIST", "raw")); dir != "" {
			return dir
		}
	}
	return ""
}
