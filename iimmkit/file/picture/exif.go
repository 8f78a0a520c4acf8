package picture

import (
	"bytes"
	"encoding/binary"
)

// orientation reads the Exif orientation, 1 to 8, from a TIFF structure; 1 (as
// stored) where there is none or it makes no sense.
func orientation(tiff []byte) int {
	const tag = 0x112
	if v, ok := tiffShort(tiff, tag); ok && v >= 1 && v <= 8 {
		return v
	}
	return 1
}

// tiffShort returns the first value of a tag of 16-bit numbers in the first
// directory of a TIFF structure.
func tiffShort(tiff []byte, tag uint16) (v int, ok bool) {
	if len(tiff) < 8 {
		return 0, false
	}
	var order binary.ByteOrder
	switch string(tiff[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return 0, false
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 0, false
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 0, false
		}
		const short = 3
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			return int(order.Uint16(entries[8:])), true
		}
		entries = entries[12:]
	}
	return 0, false
}

// jpegExif finds the Exif segment of a JPEG file.
func jpegExif(data []byte) []byte {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff { // fill byte
			at++
			continue
		}
		const startOfScan, app1 = 0xda, 0xe1
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == startOfScan || size < 2 || at+2+size > len(data) {
			return nil
		}
		if body := data[at+4 : at+2+size]; marker == app1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return body[6:]
		}
		at += 2 + size
	}
	return nil
}

// webpExif finds the EXIF chunk of a WebP file.
func webpExif(data []byte) []byte {
	for at := uint64(12); at+8 <= uint64(len(data)); {
		size := uint64(binary.LittleEndian.Uint32(data[at+4:]))
		if at+8+size > uint64(len(data)) {
			return nil
		}
		if string(data[at:at+4]) == "EXIF" {
			return bytes.TrimPrefix(data[at+8:at+8+size], []byte("Exif\x00\x00"))
		}
		at += 8 + size + size&1
	}
	return nil
}

// upright turns and mirrors s from an Exif orientation to 1.
func (s *Stored) upright(orientation int) *Stored {
	if orientation <= 1 || orientation > 8 {
		return s
	}
	out := *s
	if orientation >= 5 {
		out.Width, out.Height = s.Height, s.Width
	}
	out.Pix = turned(s.Pix, s.Width, s.Height, s.Mode.Channels(), orientation)
	out.Wide = turned(s.Wide, s.Width, s.Height, 1, orientation)
	return &out
}

func turned[T uint8 | int32](pix []T, w, h, channels, orientation int) []T {
	if pix == nil {
		return nil
	}
	// Where the first sample comes from, and the steps along a new row and
	// column, counted in pixels of the old picture.
	last := w*h - 1
	var start, right, down int
	outWidth := w
	switch orientation {
	case 2:
		start, right, down = w-1, -1, w
	case 3:
		start, right, down = last, -1, -w
	case 4:
		start, right, down = last-w+1, 1, -w
	case 5:
		start, right, down = 0, w, 1
	case 6:
		start, right, down = last-w+1, -w, 1
	case 7:
		start, right, down = last, -w, -1
	case 8:
		start, right, down = w-1, w, -1
	}
	if orientation >= 5 {
		outWidth = h
	}
	out := make([]T, len(pix))
	for i := range w * h {
		from := start + i%outWidth*right + i/outWidth*down
		copy(out[i*channels:(i+1)*channels], pix[from*channels:])
	}
	return out
}
