package notebook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// ErrNoBrowser is returned where no browser that prints is installed.
var ErrNoBrowser = errors.New("no Chromium found: install Chromium, Chrome or Edge (on Debian and Ubuntu: apt-get install chromium), or set IIMM_CHROMIUM to one")

// browser returns the browser that prints: IIMM_CHROMIUM, or the first that is
// on the PATH or where macOS has it.
func browser() (string, error) {
	if chosen := os.Getenv("IIMM_CHROMIUM"); chosen != "" {
		path, err := exec.LookPath(chosen)
		if err != nil {
			return "", fmt.Errorf("IIMM_CHROMIUM: %w", err)
		}
		return path, nil
	}
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoBrowser
}

// WritePDF prints a notebook to a PDF file with an installed Chromium, which is
// kept from the network: charts are their pictures, and code is shown only with
// PageOptions.Code set to CodeShown. Text in Japanese needs a Japanese font on
// the machine.
func (n *Notebook) WritePDF(ctx context.Context, path string, opt PageOptions) error {
	program, err := browser()
	if err != nil {
		return err
	}
	opt.Vega = ""
	var page bytes.Buffer
	if err := n.HTML(&page, opt); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	folder, err := os.MkdirTemp("", "iimm-pdf-")
	if err != nil {
		return err
	}
	defer removeSoon(folder)
	in, out := filepath.Join(folder, "page.html"), filepath.Join(folder, "page.pdf")
	if err := os.WriteFile(in, page.Bytes(), 0o600); err != nil {
		return err
	}
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := []string{
		"--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
		"--virtual-time-budget=8000", "--no-pdf-header-footer", "--user-data-dir=" + filepath.Join(folder, "profile"), "--print-to-pdf=" + out,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // which refuses to be root's
	}
	cmd := exec.CommandContext(ctx, program, append(args, (&url.URL{Scheme: "file", Path: filepath.ToSlash(in)}).String())...)
	mark := tmpMark(folder)
	cmd.Env = append(os.Environ(), mark)
	complaint := &tailWriter{}
	cmd.Stderr = complaint
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd); return nil }
	err = cmd.Run()
	killStrays(mark)
	data, missing := os.ReadFile(out)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("printing %s: %w", path, ctx.Err())
	case missing != nil || !bytes.HasPrefix(data, []byte("%PDF-")):
		if err == nil {
			err = errors.New("no PDF came")
		}
		said := strings.Join(strings.Split(strings.TrimSpace(complaint.String()), "\n"), "; ")
		return fmt.Errorf("printing %s with %s: %w: %s", path, program, err, said)
	}
	return store.WriteFile(path, data)
}
