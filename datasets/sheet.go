package datasets

import (
	"fmt"
	"image"
	"image/draw"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// MaxSheet is how many pixels of pictures a sheet may be high and wide.
const MaxSheet = 1 << 15

// SheetOptions say how a contact sheet looks.
type SheetOptions struct {
	PerClass int    // pictures of each class; 12 when 0
	Cell     int    // size of a picture on the sheet; 64 when 0
	Split    string // train when empty
}

// Sheet draws a contact sheet of a task: one row a class, its number and name
// before it, with the first pictures of the class in a split. Pictures keep
// their proportions.
func Sheet(t *Task, opt SheetOptions) (*picture.RGB, error) {
	perClass, cell := sizeOr(opt.PerClass, 12), sizeOr(opt.Cell, 64)
	if opt.Split == "" {
		opt.Split = "train"
	}
	images, err := t.Split(opt.Split)
	if err != nil {
		return nil, err
	}
	if perClass < 0 || cell < 8 || perClass*cell > MaxSheet || len(t.ClassNames)*cell > MaxSheet {
		return nil, fmt.Errorf("a sheet of %d classes with %d pictures of %d pixels is not drawn", len(t.ClassNames), perClass, cell)
	}
	face, err := labelFace(float64(min(cell/3, 15)))
	if err != nil {
		return nil, err
	}
	defer face.Close()
	labels := make([]string, len(t.ClassNames))
	margin := 0
	for k, name := range t.ClassNames {
		labels[k] = shorten(strconv.Itoa(k)+": "+name, 28)
		margin = max(margin, font.MeasureString(face, labels[k]).Ceil()+8)
	}
	const gap = 2
	sheet := picture.New(margin+perClass*(cell+gap), len(labels)*(cell+gap))
	for i := range sheet.Pix {
		sheet.Pix[i] = 255
	}
	for k, text := range labels {
		sheet.Paste(label(face, text, margin, cell), 0, k*(cell+gap))
	}
	drawn := make([]int, len(labels))
	left := len(labels) * perClass
	for i := 0; i < images.Len() && left > 0; i++ {
		k := images.Label(i)
		if drawn[k] == perClass {
			continue
		}
		p, err := images.Image(i)
		if err != nil {
			return nil, err
		}
		p = fit(p, cell)
		sheet.Paste(p, margin+drawn[k]*(cell+gap)+(cell-p.Width)/2, k*(cell+gap)+(cell-p.Height)/2)
		drawn[k]++
		left--
	}
	return sheet, nil
}

// fit brings a picture's longer side to size. Small ones are enlarged by whole
// pixels, so that what the model sees can be seen.
func fit(p *picture.RGB, size int) *picture.RGB {
	if n := size / max(p.Width, p.Height); n >= 1 {
		out := picture.New(p.Width*n, p.Height*n)
		for y := range out.Height {
			for x := range out.Width {
				copy(out.Pix[3*(y*out.Width+x):][:3], p.Pix[3*(y/n*p.Width+x/n):])
			}
		}
		return out
	}
	longer := float64(max(p.Width, p.Height))
	side := func(n int) int { return max(int(float64(n)*float64(size)/longer+0.5), 1) }
	return picture.Resize(p, side(p.Width), side(p.Height))
}

func labelFace(size float64) (font.Face, error) {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

// label draws black text on white, vertically in the middle.
func label(face font.Face, text string, width, height int) *picture.RGB {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	metrics := face.Metrics()
	base := (height + metrics.Ascent.Ceil() - metrics.Descent.Ceil()) / 2
	d := font.Drawer{Dst: m, Src: image.Black, Face: face, Dot: fixed.P(4, base)}
	d.DrawString(text)
	return picture.FromImage(m)
}

// shorten cuts text to n characters.
func shorten(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}
