package preprocess_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/preprocess"
)

// testdata/cases.json lists configurations and pictures, expected.npz the
// values that the image processors of transformers 5.23.0 (hf), and open_clip
// 3.3.0's transform written out with Pillow 12.3.0 (open_clip), make of them.
func TestConfigurationsAreFollowedAsTheReferencesDo(t *testing.T) {
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Kind    string
		Config  json.RawMessage
		Size    int
		Picture string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	expected, err := tensorfile.ReadNPZ("testdata/expected.npz")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 || len(cases) != len(expected) {
		t.Fatalf("%d cases, %d results", len(cases), len(expected))
	}
	for i, tt := range cases {
		t.Run(strconv.Itoa(i)+" "+tt.Picture, func(t *testing.T) {
			config, err := preprocess.ParseHF(tt.Config)
			if tt.Kind == "open_clip" {
				config, err = preprocess.ParseOpenCLIP(tt.Config, tt.Size)
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := picture.Open(filepath.Join("../../../file/picture/testdata", tt.Picture))
			if err != nil {
				t.Fatal(err)
			}
			check(t, config, p, expected[strconv.Itoa(i)])
			written, err := config.HF()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := preprocess.ParseHF(written); err != nil || again != config {
				t.Errorf("%+v written and read again is %+v, %v", config, again, err)
			}
			if t.Failed() {
				t.Logf("%s", tt.Config)
			}
		})
	}
}

func TestParseHF(t *testing.T) {
	for _, c := range []struct {
		json string
		want preprocess.Config
	}{
		{`{"size":{"shortest_edge":32},"crop_size":{"height":32,"width":32},"do_center_crop":true}`, preprocess.Config{Size: 32, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std}},
		{`{"size":224,"crop_size":224}`, preprocess.Config{Size: 224, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std}},
		{`{"size":{"height":224,"width":224},"image_mean":[0.5,0.5,0.5],"image_std":0.5}`, preprocess.Config{Size: 224, Mode: preprocess.Squash, Mean: half.Mean, Std: half.Std}},
		{`{"feature_extractor_type":"CLIPFeatureExtractor"}`, preprocess.Config{Size: 224, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std}},
		{`{"image_processor_type":"SiglipImageProcessor","size":384}`, preprocess.Config{Size: 384, Mode: preprocess.Squash, Mean: half.Mean, Std: half.Std}},
		{`{"image_processor_type":"ViTImageProcessor"}`, preprocess.Config{Size: 224, Mode: preprocess.Squash, Mean: half.Mean, Std: half.Std, Filter: picture.Bilinear}},
		{`{"size":256,"crop_size":224}`, preprocess.Config{Size: 224, Resize: 256, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std}},
	} {
		got, err := preprocess.ParseHF([]byte(c.json))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.json, got, err)
		}
		data, err := got.HF()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := preprocess.ParseHF(data); err != nil || again != got {
			t.Errorf("written and read again: %+v, %v", again, err)
		}
	}
}

func TestConfigurationsThatCannotBeFollowed(t *testing.T) {
	for _, tt := range []struct{ json, want string }{
		{`{`, "JSON"},
		{`{}`, "size is missing"},
		{`{"size":-1}`, "not in 1"},
		{`{"size":{"height":2,"width":3}}`, "3 x 2 is not square"},
		{`{"size":{"longest_edge":3}}`, "longest_edge"},
		{`{"size":32,"resample":6}`, "resample 6"},
		{`{"size":32,"image_std":[0,1,1]}`, "not positive"},
		{`{"size":32,"image_mean":[0,1]}`, "2 values for three channels"},
		{`{"size":32,"rescale_factor":0}`, "rescale_factor"},
		{`{"size":32,"rescale_factor":-1}`, "rescale factor"},
		{`{"size":32,"do_pad":true}`, "do_pad"},
		{`{"size":32,"do_resize":false}`, "neither resized nor cropped"},
		{`{"image_processor_type":"CLIPImageProcessor","do_center_crop":false}`, "not made square"},
		{`{"image_processor_type":"Siglip2ImageProcessor"}`, "patches of any aspect"},
		{`{"iimm_preprocess":{"Size":3,"Mode":"round","Std":[1,1,1]}}`, `mode "round"`},
		{`{"iimm_preprocess":{"Size":3,"Mode":"squash","Std":[1,1,1],"Filter":"soft"}}`, "soft"},
		{`{"iimm_preprocess":{"Size":3,"Mode":"squash","Std":[1,1,1],"Convention":"mine"}}`, "mine"},
	} {
		c, err := preprocess.ParseHF([]byte(tt.json))
		if err == nil || !strings.Contains(err.Error(), "preprocessor_config.json") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v", tt.json, c, err)
		}
	}
	for _, tt := range []struct{ json, want string }{
		{`{"preprocess_cfg":{"resize_mode":"stretch"}}`, `"stretch" is none of`},
		{`{"preprocess_cfg":{"interpolation":"lanczos"}}`, `"lanczos" is none of`},
		{`{"preprocess_cfg":{"mode":"L"}}`, "only RGB"},
		{`{"preprocess_cfg":{"std":0}}`, "not positive"},
		{`[]`, "array"},
	} {
		c, err := preprocess.ParseOpenCLIP([]byte(tt.json), 8)
		if err == nil || !strings.Contains(err.Error(), "open_clip_config.json") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v", tt.json, c, err)
		}
	}
}

// FuzzParseHF also preprocesses by what was accepted.
func FuzzParseHF(f *testing.F) {
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Config json.RawMessage }
	if err := json.Unmarshal(data, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add([]byte(c.Config))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := preprocess.ParseHF(data)
		if err != nil || c.Size > 64 || c.Resize > 64 {
			return
		}
		for _, p := range []*picture.RGB{picture.New(1, 70), picture.New(9, 5)} {
			if n := len(c.Pixels([]*picture.RGB{p})); n != 3*c.Size*c.Size {
				t.Errorf("%s: %d values", data, n)
			}
		}
		written, err := c.HF()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := preprocess.ParseHF(written); err != nil || again != c {
			t.Errorf("%+v written as %s and read again is %+v, %v", c, written, again, err)
		}
	})
}

func TestOpenCLIPKeepsTheWholeConfiguration(t *testing.T) {
	base := preprocess.Config{Size: 16, Mode: preprocess.Shortest, Mean: openAI.Mean, Std: openAI.Std, Convention: preprocess.OpenCLIP}
	for name, change := range map[string]func(*preprocess.Config){
		"as open_clip": func(*preprocess.Config) {},
		"squashed":     func(c *preprocess.Config) { c.Mode = preprocess.Squash },
		"longest":      func(c *preprocess.Config) { c.Mode, c.Fill = preprocess.Longest, 7 },
		"bilinear":     func(c *preprocess.Config) { c.Filter = picture.Bilinear },
		"hugging face": func(c *preprocess.Config) { c.Convention = preprocess.HuggingFace },
		"rgb first":    func(c *preprocess.Config) { c.Convention = preprocess.RGBFirst },
		"cropped":      func(c *preprocess.Config) { c.Resize = 20 },
		"rescaled":     func(c *preprocess.Config) { c.Rescale = 1. / 127 },
		"pillow 13":    func(c *preprocess.Config) { c.Pillow13 = true },
	} {
		c := base
		change(&c)
		data, err := json.Marshal(map[string]any{"preprocess_cfg": c.OpenCLIP()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := preprocess.ParseOpenCLIP(data, 16)
		if err != nil || got != c {
			t.Errorf("%s: %+v became %+v (%v)", name, c, got, err)
		}
	}
	if _, err := preprocess.ParseOpenCLIP([]byte(`{"preprocess_cfg":{"iimm_preprocess":{"Size":8,"Mode":"squash","Std":[1,1,1]}}}`), 16); err == nil {
		t.Error("pixels of another size than the model's were taken")
	}
}
