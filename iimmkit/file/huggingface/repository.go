package huggingface

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
)

// MaxSmall bounds what is held in memory: answers of the hub, and files that
// git keeps itself (the hub wants larger ones, above 10 MB, in its large file
// storage).
const MaxSmall = 64 << 20

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// IsCommit reports whether a revision is a commit, not a branch or a tag.
func IsCommit(revision string) bool { return commitHash.MatchString(revision) }

// Repository is one of the hub's.
type Repository struct {
	Name    string // OWNER/REPO
	Dataset bool   // of the data sets, not of the models
}

// Page is where people read about the repository and accept its conditions.
func (r Repository) Page() string { return Site() + "/" + r.path() }

func (r Repository) path() string {
	if r.Dataset {
		return "datasets/" + r.Name
	}
	return r.Name
}

// Address is where a file of the repository is at a commit.
func (r Repository) Address(commit, name string) string {
	return Endpoint() + "/" + r.path() + "/resolve/" + commit + "/" + name
}

// Describe asks for the commit of a revision and the files in it. Files whose
// checksum the hub does not tell, as some mirrors do not, are the zero File: ask
// Head for them.
func (r Repository) Describe(ctx context.Context, c *fetch.Client, revision string) (commit string, files map[string]File, err error) {
	kind := "models"
	if r.Dataset {
		kind = "datasets"
	}
	doc, err := c.Read(ctx, Endpoint()+"/api/"+kind+"/"+r.Name+"/revision/"+url.PathEscape(revision)+"?blobs=true", "application/json", MaxSmall)
	if err != nil {
		return "", nil, err
	}
	if commit, files, err = parseListing(doc.Body); err != nil {
		return "", nil, fmt.Errorf("%s: %w", Site(), err)
	}
	if IsCommit(revision) && commit != revision {
		return "", nil, fmt.Errorf("%s answers with commit %s to a question about %s", Site(), commit, revision)
	}
	return commit, files, nil
}

// parseListing reads the hub's description of a repository at a revision.
// Files whose checksum it does not tell have none.
func parseListing(data []byte) (commit string, files map[string]File, err error) {
	var info struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   int64  `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return "", nil, fmt.Errorf("not a description of a repository: %w", err)
	}
	if !commitHash.MatchString(info.SHA) {
		return "", nil, fmt.Errorf("not a description of a repository: its commit is %q", info.SHA)
	}
	files = map[string]File{}
	for _, s := range info.Siblings {
		f := File{Size: s.Size, GitSHA1: s.BlobID}
		if s.LFS != nil {
			// The blob is then a pointer to the file, not the file.
			f = File{Size: s.LFS.Size, SHA256: s.LFS.SHA256}
		}
		if f.Check(s.Name) != nil {
			f = File{}
		}
		files[s.Name] = f
	}
	return info.SHA, files, nil
}

// Head asks for the checksum of one file, for hubs whose listing has none.
func (r Repository) Head(ctx context.Context, c *fetch.Client, commit, name string) (File, error) {
	header, err := c.Head(ctx, r.Address(commit, name))
	if err != nil {
		return File{}, err
	}
	pick := func(keys ...string) string {
		for _, key := range keys {
			if v := header.Get(key); v != "" {
				return v
			}
		}
		return ""
	}
	if got := pick("X-Repo-Commit"); got != commit {
		return File{}, fmt.Errorf("%s: X-Repo-Commit is %q instead of %s: %s does not speak the hub's protocol", name, got, commit, Site())
	}
	size, err := strconv.ParseInt(pick("X-Linked-Size", "Content-Length"), 10, 64)
	if err != nil {
		return File{}, fmt.Errorf("%s: the server tells no size", name)
	}
	f := File{Size: size}
	switch tag := strings.Trim(strings.TrimPrefix(pick("X-Linked-Etag", "ETag"), "W/"), `"`); {
	case sha256Hex.MatchString(tag):
		f.SHA256 = tag
	case commitHash.MatchString(tag):
		f.GitSHA1 = tag
	default:
		return File{}, fmt.Errorf("%s: entity tag %q is neither a SHA-256 nor git's checksum: %s does not speak the hub's protocol", name, tag, Site())
	}
	return f, f.Check(name)
}

// Read fetches a small file into memory and checks it.
func (r Repository) Read(ctx context.Context, c *fetch.Client, commit, name string, want File) ([]byte, error) {
	doc, err := c.Read(ctx, r.Address(commit, name), "", MaxSmall)
	if err != nil {
		return nil, err
	}
	got, err := Digest(bytes.NewReader(doc.Body), want)
	if err != nil {
		return nil, err
	}
	if !got.Agrees(want) {
		return nil, fmt.Errorf("%s: wrong bytes: %s instead of %s; nothing kept", name, got, want)
	}
	return doc.Body, nil
}

// Explain tells what a refusal means and where to go. The error begins with who,
// as people call what was asked for at a revision.
func (r Repository) Explain(err error, who, revision string) error {
	var status *fetch.StatusError
	if !errors.As(err, &status) {
		return fmt.Errorf("%s: %w", who, err)
	}
	t, source := token()
	code := status.Header.Get("X-Error-Code")
	say := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s (%w)", who, fmt.Sprintf(format, args...), status)
	}
	switch {
	case code == "RevisionNotFound":
		return say("%s has no revision %q; %s/commits lists them", r.Name, revision, r.Page())
	case code == "EntryNotFound":
		return fmt.Errorf("%s: a file of %s is gone: %w", who, r.Name, err)
	case code == "GatedRepo" && t == "":
		return say("%s is gated: visit %s and accept its conditions, then set HF_TOKEN to a token of your account (%s/settings/tokens)",
			r.Name, r.Page(), Site())
	case code == "GatedRepo", status.Code == http.StatusForbidden:
		return say("access to %s is refused: visit %s and ask for it with the account whose token %s holds", r.Name, r.Page(), orToken(source))
	case status.Code == http.StatusUnauthorized && t == "":
		return say("%s does not exist, or is private or gated: visit %s, and set HF_TOKEN to a token of an account that may read it (%s/settings/tokens)",
			r.Name, r.Page(), Site())
	case status.Code == http.StatusUnauthorized:
		return say("the token in %s is not accepted for %s: visit %s, and set HF_TOKEN to a valid one (%s/settings/tokens)",
			source, r.Name, r.Page(), Site())
	case status.Code == http.StatusNotFound:
		return say("%s does not exist: see %s", r.Name, r.Page())
	}
	return fmt.Errorf("%s: %w", who, err)
}

func orToken(source string) string {
	if source == "" {
		return "HF_TOKEN"
	}
	return source
}
