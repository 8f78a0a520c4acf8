package picture

import (
	"bytes"
	"encoding/binary"
)

// orientation reads the Exif orientation, 1 to 8, from a TIFF structure; 1 (as
// stored) where there is none or it makes no sense.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		const tagOrientation, typeShort = 0x112, 3
		if order.Uint16(entries) == tagOrientation && order.Uint16(entries[2:]) == typeShort {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
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

// pngExif finds the eXIf chunk of a PNG file.
func pngExif(data []byte) []byte {
	for at := uint64(8); at+8 <= uint64(len(data)); {
		size := uint64(binary.BigEndian.Uint32(data[at:]))
		if at+8+size > uint64(len(data)) {
			return nil
		}
		if string(data[at+4:at+8]) == "eXIf" {
			return data[at+8 : at+8+size]
		}
		at += 12 + size
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

// upright turns and mirrors p from an Exif orientation to 1.
func (p *RGB) upright(orientation int) *RGB {
	if orientation <= 1 || orientation > 8 {
		return p
	}
	w, h := p.Width, p.Height
	out := New(w, h)
	if orientation >= 5 {
		out = New(h, w)
	}
	for y := range out.Height {
		for x := range out.Width {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(out.Pix[3*(y*out.Width+x):], p.Pix[3*(sy*w+sx):3*(sy*w+sx)+3])
		}
	}
	return out
}
