package preprocess

// OpenCLIP returns the configuration as the preprocess_cfg of open_clip's
// open_clip_config.json.
func (c Config) OpenCLIP() map[string]any {
	return map[string]any{
		"size": c.Size, "mode": "RGB", "mean": c.Mean, "std": c.Std, "interpolation": "bicubic", "resize_mode": c.Mode,
	}
}
