// Package preprocess turns pictures into the normalised pixels a model was
// trained on: resize, crop, scale, normalise, as its configuration says.
package preprocess

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Mode is how a picture becomes a square.
type Mode string

const (
	// Shortest resizes the shortest side to Size and crops the centre.
	Shortest Mode = "shortest"
	// Squash resizes both sides to Size, whatever the aspect.
	Squash Mode = "squash"
)

// Config is a model's preprocessing.
type Config struct {
	Size      int // pixels a side
	Mode      Mode
	Mean, Std [3]float32 // of red, green, blue in [0,1]
}

// OpenAI's normalisation, the default where a configuration names none.
var (
	openAIMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	openAIStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

// ParseHF reads Hugging Face's preprocessor_config.json.
func ParseHF(data []byte) (Config, error) {
	var raw struct {
		Size       json.RawMessage `json:"size"`
		CropSize   json.RawMessage `json:"crop_size"`
		CenterCrop *bool           `json:"do_center_crop"`
		Resample   *int            `json:"resample"`
		Mean       *[3]float32     `json:"image_mean"`
		Std        *[3]float32     `json:"image_std"`
	}
	const file = "preprocessor_config.json"
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	if raw.Resample != nil && *raw.Resample != 3 {
		return Config{}, fmt.Errorf("%s: resample %d, only 3 (bicubic) is supported", file, *raw.Resample)
	}
	c := Config{Mode: Shortest, Mean: openAIMean, Std: openAIStd}
	if raw.Mean != nil {
		c.Mean = *raw.Mean
	}
	if raw.Std != nil {
		c.Std = *raw.Std
	}
	side := func(raw json.RawMessage) (n int, squash bool, err error) {
		if raw == nil {
			return 0, false, nil
		}
		if json.Unmarshal(raw, &n) == nil {
			return n, false, nil
		}
		var s struct {
			Shortest int `json:"shortest_edge"`
			Height   int `json:"height"`
			Width    int `json:"width"`
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, false, fmt.Errorf("%s: size: %w", file, err)
		}
		if s.Shortest > 0 {
			return s.Shortest, false, nil
		}
		if s.Height != s.Width {
			return 0, false, fmt.Errorf("%s: %d x %d is not square", file, s.Width, s.Height)
		}
		return s.Height, true, nil
	}
	size, square, err := side(raw.Size)
	if err != nil {
		return Config{}, err
	}
	crop, _, err := side(raw.CropSize)
	if err != nil {
		return Config{}, err
	}
	cropped := raw.CenterCrop != nil && *raw.CenterCrop || raw.CenterCrop == nil && crop > 0
	if square && !cropped {
		c.Mode = Squash
	}
	if cropped && crop > 0 && crop != size {
		return Config{}, fmt.Errorf("%s: crop of %d after a resize to %d is not supported", file, crop, size)
	}
	c.Size = size
	return c, c.check(file)
}

// ParseOpenCLIP reads the preprocess_cfg of open_clip_config.json; the size is
// the model's image size.
func ParseOpenCLIP(data []byte, size int) (Config, error) {
	var raw struct {
		Preprocess struct {
			Mean   *[3]float32 `json:"mean"`
			Std    *[3]float32 `json:"std"`
			Resize string      `json:"resize_mode"`
			Interp string      `json:"interpolation"`
		} `json:"preprocess_cfg"`
	}
	const file = "open_clip_config.json"
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	p := raw.Preprocess
	c := Config{Size: size, Mode: Shortest, Mean: openAIMean, Std: openAIStd}
	if p.Mean != nil {
		c.Mean = *p.Mean
	}
	if p.Std != nil {
		c.Std = *p.Std
	}
	switch p.Resize {
	case "", "shortest":
	case "squash":
		c.Mode = Squash
	default:
		return Config{}, fmt.Errorf("%s: resize_mode %q is not supported", file, p.Resize)
	}
	if p.Interp != "" && p.Interp != "bicubic" {
		return Config{}, fmt.Errorf("%s: interpolation %q is not supported", file, p.Interp)
	}
	return c, c.check(file)
}

// HF returns the configuration as Hugging Face's preprocessor_config.json.
func (c Config) HF() ([]byte, error) {
	type object = map[string]any
	o := object{
		"image_processor_type": "CLIPImageProcessor", "do_resize": true, "resample": 3, "do_rescale": true,
		"rescale_factor": 1. / 255, "do_normalize": true, "image_mean": c.Mean, "image_std": c.Std, "do_convert_rgb": true,
	}
	if c.Mode == Squash {
		o["size"], o["do_center_crop"] = object{"height": c.Size, "width": c.Size}, false
	} else {
		o["size"], o["do_center_crop"] = object{"shortest_edge": c.Size}, true
		o["crop_size"] = object{"height": c.Size, "width": c.Size}
	}
	return json.MarshalIndent(o, "", "  ")
}

func (c Config) check(file string) error {
	if c.Size < 1 || c.Size > 1<<14 {
		return fmt.Errorf("%s: image size %d is not in 1..%d", file, c.Size, 1<<14)
	}
	for _, s := range c.Std {
		if !(s > 0) {
			return fmt.Errorf("%s: image_std %v is not positive", file, c.Std)
		}
	}
	return nil
}

// Square returns p as Size×Size pixels of 8 bits: what the model sees before
// normalisation.
func (c Config) Square(p *picture.RGB) *picture.RGB {
	if p.Width == c.Size && p.Height == c.Size {
		return p
	}
	if c.Mode == Squash {
		return picture.Resize(p, c.Size, c.Size)
	}
	w, h := c.Size, c.Size // the long side as torchvision truncates it
	if p.Width < p.Height {
		h = c.Size * p.Height / p.Width
	} else {
		w = c.Size * p.Width / p.Height
	}
	if w != p.Width || h != p.Height {
		p = picture.Resize(p, w, h)
	}
	return p.Crop(offset(w-c.Size), offset(h-c.Size), c.Size, c.Size)
}

// offset is torchvision's int(round(margin/2)), halves to even.
func offset(margin int) int { return int(math.RoundToEven(float64(margin) / 2)) }

// Pixels returns the pictures as [n, 3, Size, Size] normalised values.
func (c Config) Pixels(pictures []*picture.RGB) []float32 {
	plane := c.Size * c.Size
	out := make([]float32, len(pictures)*3*plane)
	var table [3][256]float32
	for ch := range table {
		for v := range table[ch] {
			table[ch][v] = (float32(v)/255 - c.Mean[ch]) / c.Std[ch]
		}
	}
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(pictures))
	for k := range workers {
		wg.Go(func() {
			for i := k; i < len(pictures); i += workers {
				square := c.Square(pictures[i])
				dst := out[i*3*plane : (i+1)*3*plane]
				for j := range plane {
					for ch := range 3 {
						dst[ch*plane+j] = table[ch][square.Pix[3*j+ch]]
					}
				}
			}
		})
	}
	wg.Wait()
	return out
}
