package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func TestJPEGFilesThatCannotBeRead(t *testing.T) {
	file, err := os.ReadFile("testdata/restart.jpg")
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Index(file, []byte{0xff, jpegSOF0})
	scan := bytes.Index(file, []byte{0xff, jpegSOS})
	restart := bytes.Index(file[scan:], []byte{0xff, jpegRST0}) + scan
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(file)
		copy(b[at:], to)
		return b
	}
	without := func(marker byte) []byte {
		i := bytes.Index(file, []byte{0xff, marker})
		n := 2 + int(binary.BigEndian.Uint16(file[i+2:]))
		return append(bytes.Clone(file[:i]), file[i+n:]...)
	}
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"arithmetic":      {change(frame+1, 0xc9), "SOF9"},
		"lossless":        {change(frame+1, 0xc3), "SOF3"},
		"12 bits":         {change(frame+4, 12), "12 bits"},
		"no height":       {change(frame+5, 0, 0), "35 x 0"},
		"bomb":            {change(frame+5, 0xff, 0xff, 0xff, 0xff), "65535 x 65535 pixels, the limit is"},
		"two channels":    {change(frame+9, 2), "2 channels"},
		"no sampling":     {change(frame+11, 0x02), "sampling 0x2"},
		"fractional":      {change(frame+11, 0x32, file[frame+12], file[frame+13], 0x21), "fractional"},
		"no table":        {without(jpegDQT), "quantisation table"},
		"no codes":        {without(jpegDHT), "Huffman table is missing"},
		"unknown channel": {change(scan+5, 77), "component 77"},
		"channel twice":   {change(scan+5, file[scan+7]), "twice"},
		"no restart":      {change(restart+1, 0xd9), "restart"},
		"no frame":        {without(jpegSOF0), "before the frame"},
		"no scan":         {append(bytes.Clone(file[:scan]), 0xff, jpegEOI), "no picture"},
		"short segment":   {change(scan+2, 0, 1), "segment of 1"},
		"empty scan":      {append(bytes.Clone(file[:restart]), 0xff, jpegEOI), "JPEG"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(bytes.NewReader(tt.data))
			if err == nil || p != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
	for n := 3; n < len(file)-2; n += 7 {
		if _, err := Decode(bytes.NewReader(file[:n])); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Fatalf("%d of %d bytes: %v", n, len(file), err)
		}
	}
}

// The transform is within one level of the exact cosine sum.
func TestInverseTransformIsACosineTransform(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		c := jpegComponent{blocksAcross: 1, blocksDown: 1, samples: make([]uint8, 64)}
		var block, copied [64]int32
		last := 0
		for k := range 1 + random.IntN(64) {
			block[zigzag[k]] = random.Int32N(2*(60/int32(k+1)+1)) - 60/int32(k+1)
			last = k
		}
		block[0] *= 8
		copied = block
		c.inverse(&block, 0, 0, last)
		if block != ([64]int32{}) {
			t.Fatal("the block is not cleared")
		}
		for i, got := range c.samples {
			sum := 0.0
			for k, v := range copied {
				scale := 0.25
				if k/8 == 0 {
					scale /= math.Sqrt2
				}
				if k%8 == 0 {
					scale /= math.Sqrt2
				}
				sum += scale * float64(v) * math.Cos(float64((2*(i%8)+1)*(k%8))*math.Pi/16) * math.Cos(float64((2*(i/8)+1)*(k/8))*math.Pi/16)
			}
			if want := min(max(sum+128, 0), 255); math.Abs(float64(got)-want) > 1 {
				t.Fatalf("sample %d is %d, want %g", i, got, want)
			}
		}
	}
}

func TestInverseTransformIsTheSameWithSIMD(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		var block [64]int32
		for k := range 1 + random.IntN(64) {
			block[zigzag[k]] = random.Int32N(4001) - 2000
		}
		copied := block
		want, got := make([]uint8, 8*24), make([]uint8, 8*24)
		inverse(&copied, want, 24)
		if !inverseSIMD(&block, got, 24) {
			t.Skip("built without SIMD, or no processor for it")
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%v differs from %v", got, want)
		}
	}
}
