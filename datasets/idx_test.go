package datasets

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
)

func idxBytes(data []byte, shape ...int) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, d := range shape {
		b = append(b, byte(d>>24), byte(d>>16), byte(d>>8), byte(d))
	}
	return append(b, data...)
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func TestIDXImages(t *testing.T) {
	grey := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	root := tree(t, map[string][]byte{
		"grey":   idxBytes(grey, 2, 2, 3),
		"color":  gzipped(idxBytes(grey, 2, 1, 2, 3)),
		"labels": gzipped(idxBytes([]byte{7, 0}, 2)),
		"three":  idxBytes([]byte{1, 2, 3}, 3),
		"flat":   idxBytes(grey, 12),
		"narrow": idxBytes(nil, 2, 0, 3),
	})
	at := func(name string) string { return filepath.Join(root, name) }
	images, err := OpenIDX(at("grey"), at("labels"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := images.Image(1)
	if err != nil {
		t.Fatal(err)
	}
	if images.Len() != 2 || images.Label(0) != 7 || p.Width != 3 || p.Height != 2 || !bytes.Equal(p.Pix[:6], []byte{7, 7, 7, 8, 8, 8}) {
		t.Errorf("%d images, picture %+v", images.Len(), p)
	}
	if _, err := images.Image(2); err == nil {
		t.Error("there is no image 2")
	}
	images, err = OpenIDX(at("color"), at("labels"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err = images.Image(0); err != nil || p.Width != 2 || p.Height != 1 || !bytes.Equal(p.Pix, grey[:6]) {
		t.Errorf("picture %+v, %v", p, err)
	}
	for _, tt := range []struct{ images, labels, want string }{
		{"grey", "three", "does not fit the 2 images"},
		{"flat", "three", "not that of images"},
		{"narrow", "labels", "images of 3 x 0 pixels"},
		{"grey", "grey", "does not fit"},
		{"gone", "labels", "no such file"},
		{"grey", "gone", "no such file"},
	} {
		if _, err := OpenIDX(at(tt.images), at(tt.labels)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %s: %v, want %q", tt.images, tt.labels, err, tt.want)
		}
	}
}

func TestHostileIDX(t *testing.T) {
	const huge = 1<<31 - 1
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "too short"},
		"text":             {[]byte("hello world"), "not an idx file"},
		"no dimensions":    {[]byte{0, 0, 8, 0}, "not an idx file"},
		"many dimensions":  {[]byte{0, 0, 8, 9}, "not an idx file"},
		"floats":           {[]byte{0, 0, 0x0d, 1, 0, 0, 0, 0}, "element type 0x0d"},
		"header cut":       {[]byte{0, 0, 8, 3, 0, 0, 0}, "cut off"},
		"data cut":         {idxBytes([]byte{1, 2}, 3), "2 bytes of 3"},
		"too much data":    {idxBytes([]byte{1, 2, 3}, 2), "more bytes"},
		"huge product":     {idxBytes(nil, huge, huge, huge), "promises more"},
		"huge, no data":    {idxBytes(nil, huge), "cut off"},
		"zero times huge":  {idxBytes([]byte{1}, 0, huge, huge), "more bytes"},
		"gzip cut":         {gzipped(idxBytes(make([]byte, 1000), 1000))[:20], "EOF"},
		"gzip header only": {[]byte{0x1f, 0x8b}, "gzip"},
	} {
		if _, err := parseIDX(bytes.NewReader(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// Facts about MNIST's test file: 10,000 images, the first is a seven, 980 zeros,
// mean level 33.79 (the published mean of the test images is 0.1325).
func TestMNIST(t *testing.T) {
	dir := reference.Data(t, "images", "mnist")
	images, err := OpenIDX(filepath.Join(dir, "t10k-images-idx3-ubyte.gz"), filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if images.Len() != 10000 || images.Label(0) != 7 || counts(images, 10)[0] != 980 {
		t.Errorf("%d images, first is %d, %d zeros", images.Len(), images.Label(0), counts(images, 10)[0])
	}
	sum := 0
	for _, v := range images.(*packed).pix {
		sum += int(v)
	}
	if mean := float64(sum) / float64(10000*28*28) / 255; mean < 0.1324 || mean > 0.1326 {
		t.Errorf("mean %v, want 0.1325", mean)
	}
}

func FuzzParseIDX(f *testing.F) {
	f.Add(idxBytes([]byte{1, 2, 3, 4}, 1, 2, 2))
	f.Add(gzipped(idxBytes([]byte{1, 2}, 2)))
	f.Add(idxBytes(nil, 1<<31-1, 1<<31-1))
	if dir := os.Getenv("IIMM_DATA"); dir != "" {
		if b, err := os.ReadFile(filepath.Join(dir, "images/mnist/t10k-labels-idx1-ubyte.gz")); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIDX(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 1
		for _, d := range x.shape {
			n *= d
		}
		if n != len(x.data) || len(x.shape) < 1 || len(x.shape) > 4 {
			t.Errorf("shape %v with %d bytes", x.shape, len(x.data))
		}
	})
}
