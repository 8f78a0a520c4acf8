package datasets

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// OpenIDX reads images and labels in the idx format of MNIST, gzipped or not:
// unsigned bytes, images [n,height,width] or [n,height,width,3], labels [n].
func OpenIDX(imagesPath, labelsPath string) (Images, error) {
	images, err := readIDX(imagesPath)
	if err != nil {
		return nil, err
	}
	labels, err := readIDX(labelsPath)
	if err != nil {
		return nil, err
	}
	d := images.shape
	p := &packed{name: displayName(imagesPath), channels: 1, pix: images.data}
	switch {
	case len(d) == 4 && d[3] == 3:
		p.channels = 3
	case len(d) != 3:
		return nil, fmt.Errorf("%s: shape %v is not that of images", displayName(imagesPath), d)
	}
	p.height, p.width = d[1], d[2]
	if d[0] > 0 && (p.height == 0 || p.width == 0 || p.height > picture.MaxPixels/p.width) {
		return nil, fmt.Errorf("%s: images of %d x %d pixels", displayName(imagesPath), p.width, p.height)
	}
	if len(labels.shape) != 1 || labels.shape[0] != d[0] {
		return nil, fmt.Errorf("%s: shape %v does not fit the %d images of %s", displayName(labelsPath), labels.shape, d[0], displayName(imagesPath))
	}
	p.labels = make([]int, d[0])
	for i, k := range labels.data {
		p.labels[i] = int(k)
	}
	return p, nil
}

// idx is an array of bytes.
type idx struct {
	shape []int
	data  []byte
}

func readIDX(path string) (idx, error) {
	f, err := os.Open(path)
	if err != nil {
		return idx{}, err
	}
	defer f.Close()
	x, err := parseIDX(f)
	if err != nil {
		return idx{}, fmt.Errorf("%s: %w", displayName(path), err)
	}
	return x, nil
}

// maxIDX bounds what is read into memory.
const maxIDX = 4 << 30

// parseIDX reads an idx array of unsigned bytes. Memory grows with the bytes
// that are there, whatever the header says.
func parseIDX(r io.Reader) (idx, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return idx{}, fmt.Errorf("not a gzip file: %w", err)
		}
		defer z.Close()
		b = bufio.NewReader(z)
	}
	var head [4]byte
	if _, err := io.ReadFull(b, head[:]); err != nil {
		return idx{}, errors.New("too short for an idx file")
	}
	const unsignedByte = 8
	if head[0] != 0 || head[1] != 0 || head[3] == 0 || head[3] > 4 {
		return idx{}, errors.New("not an idx file")
	}
	if head[2] != unsignedByte {
		return idx{}, fmt.Errorf("idx element type 0x%02x, only unsigned bytes (0x08) are read", head[2])
	}
	x := idx{shape: make([]int, head[3])}
	n := int64(1)
	for i := range x.shape {
		var d [4]byte
		if _, err := io.ReadFull(b, d[:]); err != nil {
			return idx{}, errors.New("the idx header is cut off")
		}
		size := int64(d[0])<<24 | int64(d[1])<<16 | int64(d[2])<<8 | int64(d[3])
		x.shape[i] = int(size)
		if size > 0 && n > maxIDX/size {
			return idx{}, fmt.Errorf("the idx header promises more than %d bytes", int64(maxIDX))
		}
		n *= size
	}
	data, err := io.ReadAll(io.LimitReader(b, n+1))
	switch {
	case err != nil:
		return idx{}, err
	case int64(len(data)) < n:
		return idx{}, fmt.Errorf("cut off: %d bytes of %d (shape %v)", len(data), n, x.shape)
	case int64(len(data)) > n:
		return idx{}, fmt.Errorf("more bytes than shape %v needs", x.shape)
	}
	x.data = data
	return x, nil
}
