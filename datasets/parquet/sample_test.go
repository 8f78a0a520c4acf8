package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// source counts what is read of a file in memory.
type source struct {
	data []byte
	read int64
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(s.data).ReadAt(p, off)
	s.read += int64(n)
	return n, err
}

// noisy is a small picture that nothing compresses; its first pixel has number i.
func noisy(i int) []byte {
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	b := []byte("P6 24 24 255\n")
	head := len(b)
	for range 24 * 24 * 3 / 8 {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	b[head], b[head+1] = uint8(i), uint8(i>>8)
	return b
}

var tenNames = strings.Fields("ant bee cat dog elk fox gnu hen ibis jay")

// tableOf writes n pictures of ten classes, image i of class label(i).
func tableOf(t testing.TB, n int, label func(i int) int) []byte {
	var rows []Row
	for i := range n {
		rows = append(rows, Row{noisy(i), fmt.Sprintf("%d.png", i), strconv.Itoa(label(i))})
	}
	var b bytes.Buffer
	if err := Write(&b, rows, tenNames); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// openSample reads a sample back and checks each picture against its number.
func openSample(t *testing.T, data []byte, label func(i int) int) map[int]int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.parquet")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	task, problems, err := datasets.Open(path, datasets.FolderOptions{})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	if !slices.Equal(task.ClassNames, tenNames) {
		t.Errorf("classes %q", task.ClassNames)
	}
	count, seen := map[int]int{}, map[int]bool{}
	for j := range task.Train.Len() {
		p, err := task.Train.Image(j)
		if err != nil {
			t.Fatal(err)
		}
		i := int(p.Pix[0]) | int(p.Pix[1])<<8
		if task.Train.Label(j) != label(i) || seen[i] || task.Train.ID(j) != fmt.Sprintf("%d.png", i) {
			t.Errorf("image %d: label %d, ID %s, seen before %v", i, task.Train.Label(j), task.Train.ID(j), seen[i])
		}
		seen[i] = true
		count[label(i)]++
	}
	return count
}

func TestASampleIsBalancedAndReadsLittle(t *testing.T) {
	const n = 4000
	rng := rand.New(rand.NewPCG(1, 2))
	mixed := make([]int, n)
	for i := range mixed {
		mixed[i] = rng.IntN(10)
	}
	for _, c := range []struct {
		name  string
		label func(i int) int
		want  int
		least int // of a class
		most  int
		share float64 // of the file that is read at most
	}{
		{"mixed", func(i int) int { return mixed[i] }, 100, 10, 10, 0.12},
		{"mixed, an odd number", func(i int) int { return mixed[i] }, 57, 5, 6, 0.12},
		{"fewer than classes", func(i int) int { return mixed[i] }, 7, 1, 1, 0.1},
		{"in the order of classes", func(i int) int { return i / (n / 10) }, 50, 5, 5, 0.4},
		{"all of it", func(i int) int { return mixed[i] }, 2 * n, 1, n, 1.1},
	} {
		s := &source{data: tableOf(t, n, c.label)}
		var out bytes.Buffer
		got, err := Sample(&out, []Part{{Name: "train.parquet", Data: s, Size: int64(len(s.data))}}, c.want, 0, progress.Discard)
		if err != nil {
			t.Fatal(c.name, err)
		}
		count := openSample(t, out.Bytes(), c.label)
		least, most := n, 0
		for _, k := range count {
			least, most = min(least, k), max(most, k)
		}
		if want := min(c.want, n); got.Images != want || got.Of != n || got.OfClasses != 10 || got.Classes != len(count) || got.LeastOfClass != least || got.MostOfClass != most {
			t.Errorf("%s: %+v, counted %v", c.name, got, count)
		}
		if least < c.least || most > c.most || len(count) != min(10, c.want) {
			t.Errorf("%s: classes have %v", c.name, count)
		}
		if share := float64(s.read) / float64(len(s.data)); share > c.share {
			t.Errorf("%s: %.2f of the file were read", c.name, share)
		}
	}
}

func TestASampleFollowsItsSeed(t *testing.T) {
	label := func(i int) int { return i * 7 % 10 }
	whole := tableOf(t, 3000, label)
	draw := func(seed uint64) []byte {
		var out bytes.Buffer
		half := len(whole)
		got, err := Sample(&out, []Part{{Name: "a", Data: bytes.NewReader(whole), Size: int64(half)}, {Name: "b", Data: bytes.NewReader(whole), Size: int64(half)}}, 200, seed, progress.Discard)
		if err != nil || got.RowGroups < 4 {
			t.Fatalf("%+v, %v", got, err)
		}
		return out.Bytes()
	}
	if !bytes.Equal(draw(0), draw(0)) {
		t.Error("the same seed draws another sample")
	}
	if bytes.Equal(draw(0), draw(1)) {
		t.Error("another seed draws the same sample")
	}
}

func TestSampleOfFilesOfHuggingFacesLibrary(t *testing.T) {
	var parts []Part
	for _, name := range []string{"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"} {
		data, err := os.ReadFile(filepath.Join("testdata/data", name))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, Part{Name: name, Data: bytes.NewReader(data), Size: int64(len(data))})
	}
	var out bytes.Buffer
	got, err := Sample(&out, parts, 6, 3, progress.Discard)
	if err != nil || got.Images != 6 || got.LeastOfClass != 2 || got.MostOfClass != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	task, _, err := datasets.Open(path, datasets.FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for j := range task.Train.Len() {
		i, err := strconv.Atoi(strings.TrimSuffix(task.Train.ID(j), ".png"))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := task.Train.Image(j); err != nil || p.Pix[7] != uint8(7*(i+3)) || task.Train.Label(j) != i%3 {
			t.Errorf("image %d: %v", i, err)
		}
	}
}

func TestSampleOfATableWithoutNames(t *testing.T) {
	data, err := os.ReadFile("testdata/plain.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	got, err := Sample(&out, []Part{{Name: "plain", Data: bytes.NewReader(data), Size: int64(len(data))}}, 4, 0, progress.Discard)
	if err != nil || got.Images != 4 || got.Classes != 2 || got.OfClasses != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	x, err := newTable(bytes.NewReader(out.Bytes()), "x", "")
	if err != nil || fmt.Sprint(x.labels) != "[dog cat cat dog]" || x.paths[2] != "plain#3" {
		t.Errorf("%v %v %v", x.labels, x.paths, err)
	}
}

func FuzzSample(f *testing.F) {
	for _, name := range []string{"data/test-00000-of-00001.parquet", "plain.parquet", "gaps.parquet"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, 2)
	}
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n > 1000 {
			return
		}
		size := int64(len(data))
		got, err := Sample(io.Discard, []Part{{Name: "x", Data: bytes.NewReader(data), Size: size, Fetch: func(off, n int64) error {
			if off < 0 || n < 0 || off > size-n {
				return io.ErrUnexpectedEOF
			}
			return nil
		}}}, n, 0, progress.Discard)
		switch {
		case err == nil && (got.Images < 1 || got.Images > n):
			t.Errorf("%d images for %d", got.Images, n)
		case err != nil && strings.ContainsAny(err.Error(), "\n\x00"):
			t.Errorf("the error has several lines: %q", err)
		}
	})
}
