package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
)

// The variables are those of the Python library huggingface_hub, with its meaning.

const defaultEndpoint = "https://huggingface.co"

func endpoint() string {
	if e := strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"); e != "" {
		return e
	}
	return defaultEndpoint
}

// site is the endpoint as it may be shown: without the password of a mirror.
func site() string {
	u, err := url.Parse(endpoint())
	if err != nil {
		return defaultEndpoint
	}
	u.User = nil
	return u.String()
}

// home is Hugging Face's directory of this user.
func home() (string, error) {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return expand(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return expand(filepath.Join(dir, "huggingface"))
	}
	return expand(filepath.Join("~", ".cache", "huggingface"))
}

// CacheDir is Hugging Face's cache: HF_HUB_CACHE, else hub in HF_HOME, else
// ~/.cache/huggingface/hub. It need not exist.
func CacheDir() (string, error) {
	for _, key := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := os.Getenv(key); dir != "" {
			return expand(dir)
		}
	}
	dir, err := home()
	return filepath.Join(dir, "hub"), err
}

// expand replaces a leading ~ and variables, which nobody did in a path that
// comes from a configuration file.
func expand(path string) (string, error) {
	path = os.ExpandEnv(path)
	if path == "~" || strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no home directory: %w (set HF_HOME)", err)
		}
		path = user + path[1:]
	}
	return filepath.Abs(path)
}

// token is the user's access token, "" without one, and where it is from.
func token() (value, source string) {
	if isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return "", ""
	}
	for _, key := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if t := strings.TrimSpace(os.Getenv(key)); t != "" {
			return t, key
		}
	}
	path := os.Getenv("HF_TOKEN_PATH")
	if path == "" {
		dir, err := home()
		if err != nil {
			return "", ""
		}
		path = filepath.Join(dir, "token")
	}
	path, err := expand(path)
	if err != nil {
		return "", ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(data)), path
}

var errOffline = errors.New("HF_HUB_OFFLINE forbids network access")

// offline is nil where the network may be used.
func offline() error {
	if fetch.Offline() {
		return fetch.ErrOffline
	}
	if isTrue("HF_HUB_OFFLINE") || os.Getenv("HF_HUB_OFFLINE") == "" && isTrue("TRANSFORMERS_OFFLINE") {
		return errOffline
	}
	return nil
}

func isTrue(key string) bool {
	switch strings.ToUpper(os.Getenv(key)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// client asks the hub in the user's name.
func client(note func(string)) *fetch.Client {
	c := *fetch.Default
	c.Note = note
	c.Header = http.Header{"User-Agent": {"iimm"}}
	if t, _ := token(); t != "" {
		c.Header.Set("Authorization", "Bearer "+t)
	}
	return &c
}

// explain tells what a refusal means and where to go.
func explain(err error, ref Ref) error {
	var status *fetch.StatusError
	if !errors.As(err, &status) {
		return fmt.Errorf("model %s: %w", ref.Name, err)
	}
	t, source := token()
	code := status.Header.Get("X-Error-Code")
	say := func(format string, args ...any) error {
		return fmt.Errorf("model %s: %s (%w)", ref.Name, fmt.Sprintf(format, args...), status)
	}
	switch {
	case code == "RevisionNotFound":
		return say("%s has no revision %q; %s/commits lists them", ref.Repository, ref.Revision, ref.Page())
	case code == "EntryNotFound":
		return fmt.Errorf("model %s: a file of %s is gone: %w", ref.Name, ref.Repository, err)
	case code == "GatedRepo" && t == "":
		return say("%s is gated: visit %s and accept its conditions, then set HF_TOKEN to a token of your account (%s/settings/tokens)",
			ref.Repository, ref.Page(), site())
	case code == "GatedRepo", status.Code == http.StatusForbidden:
		return say("access to %s is refused: visit %s and ask for it with the account whose token %s holds", ref.Repository, ref.Page(), orToken(source))
	case status.Code == http.StatusUnauthorized && t == "":
		return say("%s does not exist, or is private or gated: visit %s, and set HF_TOKEN to a token of an account that may read it (%s/settings/tokens)",
			ref.Repository, ref.Page(), site())
	case status.Code == http.StatusUnauthorized:
		return say("the token in %s is not accepted for %s: visit %s, and set HF_TOKEN to a valid one (%s/settings/tokens)",
			source, ref.Repository, ref.Page(), site())
	case status.Code == http.StatusNotFound:
		return say("%s does not exist: see %s", ref.Repository, ref.Page())
	}
	return fmt.Errorf("model %s: %w", ref.Name, err)
}

func orToken(source string) string {
	if source == "" {
		return "HF_TOKEN"
	}
	return source
}
