package backend

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// wheel is a pinned file of the Python package index with a plugin inside.
type wheel struct {
	project, version string
	sha256           string // of the wheel
	member           string // path of the plugin in it
	source           string
}

// maxPlugin bounds what a member may unpack to.
const maxPlugin = 1 << 30

func (w wheel) provenance() Provenance {
	return Provenance{Schema: 1, Source: w.source, Package: w.project + "==" + w.version, SHA256: w.sha256, Member: w.member}
}

// install puts the wheel's plugin into dir as pjrt_c_api_cpu_plugin, after
// verify has accepted it under a temporary name.
func (w wheel) install(ctx context.Context, dir string, force bool, report progress.Reporter, verify func(path string) error) (*Installed, error) {
	path := filepath.Join(dir, "pjrt_c_api_cpu_plugin"+libraryExt)
	if p, err := readProvenance(path); err == nil && !force && p.SHA256 == w.sha256 && isPlugin(path, p.Plugin) {
		return &Installed{p, path, true}, nil
	}
	file, err := w.find(ctx)
	if err != nil {
		return nil, err
	}
	download := filepath.Join(dir, "download", w.project+"-"+w.version+".whl")
	if err := fetch.Get(ctx, file, download, w.sha256, report); err != nil {
		return nil, err
	}
	staging, err := os.MkdirTemp(dir, ".staging-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(staging)
	staged := filepath.Join(staging, filepath.Base(path))
	p := w.provenance()
	p.URL = withoutPassword(file)
	p.Installed = time.Now().UTC().Format(time.RFC3339)
	if p.Plugin, err = unzip(download, w.member, staged); err != nil {
		return nil, err
	}
	if err := checkPluginFile(staged); err != nil {
		return nil, err
	}
	if err := verify(staged); err != nil {
		return nil, fmt.Errorf("%s does not work on this machine, nothing installed: %w", p.Package, err)
	}
	if err := p.write(path); err != nil {
		return nil, err
	}
	if err := os.Rename(staged, path); err != nil {
		return nil, err
	}
	os.RemoveAll(filepath.Dir(download)) // what it held is unpacked
	return &Installed{p, path, false}, nil
}

// unzip writes one member of an archive to path and returns its SHA-256. Only
// that member is touched, so no name in the archive chooses where bytes go.
func unzip(archive, member, path string) (sum string, err error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return "", fmt.Errorf("%s: %w", archive, err)
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Name != member {
			continue
		}
		if f.UncompressedSize64 > maxPlugin {
			return "", fmt.Errorf("%s: %s unpacks to %d bytes, more than a plugin has", archive, member, f.UncompressedSize64)
		}
		r, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", archive, member, err)
		}
		defer r.Close()
		out, err := store.Create(path)
		if err != nil {
			return "", err
		}
		defer out.Close()
		h := sha256.New()
		if _, err := io.Copy(io.MultiWriter(out, h), r); err != nil {
			return "", fmt.Errorf("%s: unpacking %s: %w", archive, member, err)
		}
		return hex.EncodeToString(h.Sum(nil)), out.Commit()
	}
	return "", fmt.Errorf("%s holds no %s", archive, member)
}
