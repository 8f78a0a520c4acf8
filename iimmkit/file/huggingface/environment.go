// Package huggingface speaks the protocol of the Hugging Face hub: what a
// repository of models or of data sets holds at a revision, the checksums of its
// files, and where they are fetched, with the variables and in the name of the
// user's account. It keeps nothing; who fetches does.
package huggingface

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

// Endpoint is the address of the hub: HF_ENDPOINT names a mirror.
func Endpoint() string {
	if e := strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"); e != "" {
		return e
	}
	return defaultEndpoint
}

// Site is the endpoint as it may be shown: without the password of a mirror.
func Site() string {
	u, err := url.Parse(Endpoint())
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

// Offline is nil where the network may be used.
func Offline() error {
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

// Client asks the hub in the user's name.
func Client(note func(string)) *fetch.Client {
	c := *fetch.Default
	c.Note = note
	c.Header = http.Header{"User-Agent": {"iimm"}}
	if t, _ := token(); t != "" {
		c.Header.Set("Authorization", "Bearer "+t)
	}
	return &c
}
