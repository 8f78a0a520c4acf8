package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Limits against files that are small on disk and huge in memory.
const (
	MaxPixels = 89478485 // Pillow's limit: 256 MiB as RGB
	MaxBytes  = 1 << 30  // of a file
)

// Errors that Open and Decode wrap.
var (
	ErrEmpty    = errors.New("the file is empty")
	ErrFormat   = errors.New("not a picture in a known format (JPEG, PNG, GIF, WebP, BMP, TIFF, PPM, PGM, PBM)")
	ErrTooLarge = errors.New("the picture is too large")
)

// Option changes how a picture is decoded.
type Option func(*options)

type options struct{ asStored bool }

// AsStored leaves a photograph as its samples are stored, without turning it
// upright by its Exif orientation. Most reference pipelines do so.
func AsStored(o *options) { o.asStored = true }

// Open decodes the picture in a file. See Decode.
func Open(path string, opts ...Option) (*RGB, error) {
	data, err := readRegular(path)
	if err == nil {
		var p *RGB
		if p, err = decode(data, opts); err == nil {
			return p, nil
		}
	}
	var pathError *os.PathError
	if errors.As(err, &pathError) { // names the path itself
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// HasExtension reports whether a file's name is that of a picture that Open
// may read. The content decides, not the name: it only tells what was meant.
func HasExtension(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm":
		return true
	}
	return false
}

// readRegular reads a file, but no device, pipe or directory.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("is a folder, not a picture")
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > MaxBytes:
		return nil, tooManyBytes(info.Size())
	}
	return os.ReadFile(path)
}

// Decode reads a picture in JPEG, PNG, GIF (first frame), WebP, BMP, TIFF or
// PNM format and converts it to RGB as Pillow's convert("RGB") does: alpha is
// dropped, palettes are looked up, 16-bit colour keeps the high byte, 16-bit
// grey is clipped at 255. RGB.Stored keeps what is lost. Pixels equal those of
// Pillow 12.3 with libjpeg-turbo 3.1 and libwebp 1.6.
//
// Photographs are turned upright by their Exif orientation unless AsStored is
// given (TIFF files always, as Pillow does). Pictures over MaxPixels and files
// over MaxBytes are refused before memory is taken for them, truncated ones too.
func Decode(r io.Reader, opts ...Option) (*RGB, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBytes {
		return nil, tooManyBytes(int64(len(data)))
	}
	return decode(data, opts)
}

// codec reads one format.
type codec struct {
	name   string
	config func(io.Reader) (image.Config, error)
	decode func(data []byte, c image.Config) (*Stored, error)
	exif   func(data []byte) []byte // the TIFF structure of the Exif data, nil without; may be nil
}

// sniff finds the format by a file's first bytes; ok is false when none fits.
func sniff(data []byte) (c codec, ok bool) {
	starts := func(prefix string) bool { return bytes.HasPrefix(data, []byte(prefix)) }
	switch {
	case starts("\xff\xd8\xff"):
		return codec{"JPEG", jpegConfig, decodeJPEG, jpegExif}, true
	case starts("\x89PNG\r\n\x1a\n"):
		return codec{"PNG", png.DecodeConfig, decodePNG, func(data []byte) []byte { return pngChunk(data, "eXIf") }}, true
	case starts("GIF87a"), starts("GIF89a"):
		return codec{"GIF", gif.DecodeConfig, decodeGIF, nil}, true
	case len(data) >= 12 && starts("RIFF") && string(data[8:12]) == "WEBP":
		return codec{"WebP", webp.DecodeConfig, decodeWebP, webpExif}, true
	case starts("BM"):
		return codec{"BMP", bmpConfig, decodeBMP, nil}, true
	case starts("II*\x00"), starts("MM\x00*"):
		return codec{"TIFF", tiff.DecodeConfig, decodeTIFF, nil}, true
	case len(data) >= 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6' && isSpace(data[2]):
		return codec{"PNM", pnmConfig, decodePNM, nil}, true
	}
	return codec{}, false
}

func decode(data []byte, opts []Option) (p *RGB, err error) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	if len(data) == 0 {
		return nil, ErrEmpty
	}
	c, ok := sniff(data)
	if !ok {
		return nil, ErrFormat
	}
	defer func() { // decoders of other modules have panicked on damaged files
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("damaged %s: %v", c.name, r)
		}
	}()
	config, err := c.config(bytes.NewReader(data))
	if err != nil {
		return nil, damaged(c.name, err)
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	s, err := c.decode(data, config)
	if err != nil {
		return nil, damaged(c.name, err)
	}
	if c.exif != nil && !o.asStored {
		s = s.upright(orientation(c.exif(data)))
	}
	return s.rgb(), nil
}

func tooManyBytes(n int64) error {
	return fmt.Errorf("%w: the file has %d bytes, the limit is %d", ErrTooLarge, n, MaxBytes)
}

func damaged(format string, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated %s: %w", format, err)
	}
	return fmt.Errorf("damaged %s: %w", format, err)
}

func checkSize(width, height int) error {
	if width <= 0 || height <= 0 {
		return fmt.Errorf("a picture of %d x %d pixels", width, height)
	}
	if width > MaxPixels/height {
		return fmt.Errorf("%w: %d x %d pixels, the limit is %d in all", ErrTooLarge, width, height, MaxPixels)
	}
	return nil
}
