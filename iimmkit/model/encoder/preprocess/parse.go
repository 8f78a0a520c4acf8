package preprocess

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// pillowFilters are Pillow's numbers of filters, which preprocessor_config.json
// uses.
var pillowFilters = []picture.Filter{picture.Nearest, picture.Lanczos, picture.Bilinear, picture.Bicubic, picture.Box, picture.Hamming}

// hfConfig is what ParseHF heeds of preprocessor_config.json.
type hfConfig struct {
	Type         string          `json:"image_processor_type"`
	FeatureType  string          `json:"feature_extractor_type"` // before transformers 4.25
	DoResize     *bool           `json:"do_resize"`
	Size         json.RawMessage `json:"size"`
	Resample     *int            `json:"resample"`
	DoCenterCrop *bool           `json:"do_center_crop"`
	CropSize     json.RawMessage `json:"crop_size"`
	DoRescale    *bool           `json:"do_rescale"`
	Rescale      *float64        `json:"rescale_factor"`
	DoNormalize  *bool           `json:"do_normalize"`
	Mean         perChannel      `json:"image_mean"`
	Std          perChannel      `json:"image_std"`
	DoPad        *bool           `json:"do_pad"`

	// Ours is written by Config.HF where the format cannot say it.
	Ours *Config `json:"iimm_preprocess"`
}

// defaults completes what a processor's configuration leaves out with the
// defaults of its class.
func (h *hfConfig) defaults() error {
	kind := h.Type
	if kind == "" {
		kind = h.FeatureType
	}
	yes, no := true, false
	set := func(size string, crop string, filter int, mean, std [3]float32) {
		if h.Size == nil {
			h.Size = json.RawMessage(size)
		}
		if h.CropSize == nil && crop != "" {
			h.CropSize = json.RawMessage(crop)
		}
		if h.DoCenterCrop == nil {
			h.DoCenterCrop = &no
			if crop != "" {
				h.DoCenterCrop = &yes
			}
		}
		if h.Resample == nil {
			h.Resample = &filter
		}
		h.Mean.orElse(mean)
		h.Std.orElse(std)
	}
	halves := [3]float32{.5, .5, .5}
	const bilinear, bicubic = 2, 3
	switch {
	case strings.HasPrefix(kind, "Siglip2"):
		return errors.New("Siglip2ImageProcessor makes patches of any aspect, which is not supported; SigLIP 2 of fixed resolution has SiglipImageProcessor")
	case strings.HasPrefix(kind, "CLIP"):
		set(`{"shortest_edge":224}`, `{"height":224,"width":224}`, bicubic, openAIMean, openAIStd)
	case strings.HasPrefix(kind, "Siglip"):
		h.Size = square(h.Size)
		set(`{"height":224,"width":224}`, "", bicubic, halves, halves)
	case strings.HasPrefix(kind, "ViT"):
		h.Size = square(h.Size)
		set(`{"height":224,"width":224}`, "", bilinear, halves, halves)
	case h.Size == nil:
		return errors.New("size is missing")
	default:
		filter := bicubic
		if h.Resample == nil {
			h.Resample = &filter
		}
		if h.DoCenterCrop == nil {
			crops := h.CropSize != nil
			h.DoCenterCrop = &crops
		}
		h.Mean.orElse(openAIMean)
		h.Std.orElse(openAIStd)
	}
	return nil
}

// square turns a size that is one number into a square, which it means for
// processors that do not keep the aspect. (transformers 5 takes it for the
// shortest edge for SigLIP as well, and then makes no squares.)
func square(size json.RawMessage) json.RawMessage {
	var n int
	if size == nil || json.Unmarshal(size, &n) != nil {
		return size
	}
	return json.RawMessage(fmt.Sprintf(`{"height":%d,"width":%d}`, n, n))
}

// perChannel is a list of three numbers or one for all channels.
type perChannel struct{ values *[3]float32 }

// UnmarshalJSON implements json.Unmarshaler.
func (p *perChannel) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var one float32
	if json.Unmarshal(data, &one) == nil {
		p.values = &[3]float32{one, one, one}
		return nil
	}
	var list []float32
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) != 3 {
		return fmt.Errorf("%d values for three channels", len(list))
	}
	p.values = (*[3]float32)(list)
	return nil
}

func (p *perChannel) orElse(v [3]float32) {
	if p.values == nil {
		p.values = &v
	}
}

// ParseHF reads Hugging Face's preprocessor_config.json.
func ParseHF(data []byte) (Config, error) {
	const file = "preprocessor_config.json"
	fail := func(err error) (Config, error) { return Config{}, fmt.Errorf("%s: %w", file, err) }
	var h hfConfig
	if err := json.Unmarshal(data, &h); err != nil {
		return fail(err)
	}
	if h.Ours != nil {
		if err := h.Ours.checkWords(); err != nil {
			return fail(err)
		}
		return *h.Ours, h.Ours.check(file)
	}
	if err := h.defaults(); err != nil {
		return fail(err)
	}
	on := func(p *bool) bool { return p == nil || *p }
	c := Config{Mean: *h.Mean.values, Std: *h.Std.values}
	size, squash, err := hfSize(h.Size)
	if err != nil {
		return fail(fmt.Errorf("size: %w", err))
	}
	c.Mode = Shortest
	if squash {
		c.Mode = Squash
	}
	c.Size = size
	known := h.Type != "" || h.FeatureType != ""
	switch {
	case h.DoPad != nil && *h.DoPad:
		return fail(errors.New("do_pad is not supported"))
	case *h.DoCenterCrop:
		if h.CropSize != nil {
			if c.Size, _, err = hfSize(h.CropSize); err != nil {
				return fail(fmt.Errorf("crop_size: %w", err))
			}
		}
		if !on(h.DoResize) {
			c.Mode = CropOnly
		} else if c.Size != size {
			c.Resize = size
		}
	case !on(h.DoResize):
		return fail(errors.New("pictures are neither resized nor cropped"))
	case c.Mode == Shortest && known: // a file of no class may leave the crop unsaid
		return fail(errors.New("pictures are not made square: size has a shortest_edge and do_center_crop is false"))
	}
	if *h.Resample < 0 || *h.Resample >= len(pillowFilters) {
		return fail(fmt.Errorf("resample %d is none of Pillow's filters 0 to 5", *h.Resample))
	}
	c.Filter = pillowFilters[*h.Resample]
	switch {
	case !on(h.DoRescale):
		c.Rescale = 1
	case h.Rescale != nil && *h.Rescale != 1./255:
		if c.Rescale = *h.Rescale; c.Rescale == 0 {
			return fail(errors.New("rescale_factor is 0"))
		}
	}
	if !on(h.DoNormalize) {
		c.Mean, c.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	return c, c.check(file)
}

// hfSize reads one number or an object of sides.
func hfSize(raw json.RawMessage) (n int, square bool, err error) {
	if json.Unmarshal(raw, &n) == nil {
		return n, false, nil
	}
	var s struct {
		Shortest  int `json:"shortest_edge"`
		Longest   int `json:"longest_edge"`
		Height    int `json:"height"`
		Width     int `json:"width"`
		MaxHeight int `json:"max_height"`
		MaxWidth  int `json:"max_width"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return 0, false, err
	}
	switch {
	case s.Longest > 0 || s.MaxHeight > 0 || s.MaxWidth > 0:
		return 0, false, fmt.Errorf("%s is not supported: neither a shortest_edge nor height and width", raw)
	case s.Shortest > 0:
		return s.Shortest, false, nil
	case s.Height != s.Width:
		return 0, false, fmt.Errorf("%d x %d is not square", s.Width, s.Height)
	}
	return s.Height, true, nil
}

// ParseOpenCLIP reads the preprocess_cfg of open_clip_config.json; the size is
// the model's image size, which open_clip puts above that of the file.
func ParseOpenCLIP(data []byte, size int) (Config, error) {
	var raw struct {
		Preprocess struct {
			Mean   perChannel `json:"mean"`
			Std    perChannel `json:"std"`
			Resize string     `json:"resize_mode"`
			Interp string     `json:"interpolation"`
			Fill   uint8      `json:"fill_color"`
			Mode   string     `json:"mode"`
			Ours   *Config    `json:"iimm_preprocess"` // written by Config.OpenCLIP
		} `json:"preprocess_cfg"`
	}
	const file = "open_clip_config.json"
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	p := raw.Preprocess
	if p.Ours != nil {
		if err := p.Ours.checkWords(); err != nil {
			return Config{}, fmt.Errorf("%s: %w", file, err)
		}
		if p.Ours.Size != size {
			return Config{}, fmt.Errorf("%s: iimm_preprocess makes %d pixels a side, the model wants %d", file, p.Ours.Size, size)
		}
		return *p.Ours, p.Ours.check(file)
	}
	p.Mean.orElse(openAIMean)
	p.Std.orElse(openAIStd)
	c := Config{Size: size, Mode: Shortest, Convention: OpenCLIP, Mean: *p.Mean.values, Std: *p.Std.values}
	switch p.Resize {
	case "", "shortest":
	case "squash":
		c.Mode = Squash
	case "longest":
		c.Mode, c.Fill = Longest, p.Fill
	default:
		return Config{}, fmt.Errorf("%s: resize_mode %q is none of shortest, longest, squash", file, p.Resize)
	}
	switch p.Interp {
	case "", "bicubic", "random": // open_clip draws at random in training only
	case "bilinear":
		c.Filter = picture.Bilinear
	default:
		return Config{}, fmt.Errorf("%s: interpolation %q is none of bicubic, bilinear, random", file, p.Interp)
	}
	if p.Mode != "" && p.Mode != "RGB" {
		return Config{}, fmt.Errorf("%s: mode %q is not supported, only RGB", file, p.Mode)
	}
	return c, c.check(file)
}

// HF returns the configuration as Hugging Face's preprocessor_config.json,
// with a key of our own where that format cannot say all of it.
func (c Config) HF() ([]byte, error) {
	type object = map[string]any
	side := func(n int) object { return object{"height": n, "width": n} }
	rescale := c.Rescale
	if rescale == 0 {
		rescale = 1. / 255
	}
	o := object{
		"image_processor_type": "CLIPImageProcessor", "do_resize": c.Mode != CropOnly, "do_rescale": true,
		"rescale_factor": rescale, "do_normalize": true, "image_mean": c.Mean, "image_std": c.Std, "do_convert_rgb": true,
	}
	for n, f := range pillowFilters {
		if f == c.Filter {
			o["resample"] = n
		}
	}
	o["size"], o["do_center_crop"], o["crop_size"] = object{"shortest_edge": c.resize()}, true, side(c.Size)
	if c.Mode == Squash {
		o["size"] = side(c.resize())
		if c.Resize == 0 {
			o["do_center_crop"] = false
			delete(o, "crop_size")
		}
	}
	if c.Convention != HuggingFace || c.Mode == Longest || c.Fill != 0 || c.Pillow13 {
		o["iimm_preprocess"] = c
	}
	return json.MarshalIndent(o, "", "  ")
}

// OpenCLIP returns the configuration as the preprocess_cfg of open_clip's
// open_clip_config.json, with a key of our own where that format cannot say all
// of it.
func (c Config) OpenCLIP() map[string]any {
	o := map[string]any{
		"size": c.Size, "mode": "RGB", "mean": c.Mean, "std": c.Std, "interpolation": "bicubic", "resize_mode": c.Mode, "fill_color": c.Fill,
	}
	known := c.Filter == picture.Bicubic
	if c.Filter == picture.Bilinear {
		o["interpolation"], known = "bilinear", true
	}
	if !known || c.Convention != OpenCLIP || c.Mode == CropOnly || c.Resize != 0 || c.Rescale != 0 || c.Pillow13 {
		o["iimm_preprocess"] = c
	}
	return o
}

// checkWords refuses modes and conventions that do not exist.
func (c Config) checkWords() error {
	switch c.Mode {
	case Shortest, Squash, Longest, CropOnly:
	default:
		return fmt.Errorf("iimm_preprocess: mode %q", c.Mode)
	}
	switch c.Convention {
	case HuggingFace, OpenCLIP, RGBFirst:
	default:
		return fmt.Errorf("iimm_preprocess: convention %q", c.Convention)
	}
	return nil
}
