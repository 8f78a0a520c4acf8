package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
)

// maxSmall bounds what is held in memory: answers of the hub, and files that
// git keeps itself (the hub wants larger ones, above 10 MB, in its large file
// storage).
const maxSmall = 64 << 20

var fileName = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.-]{0,199}$`)

// isFileName reports whether a file lies at the top of a repository, where all
// that a checkpoint needs is, and may become part of a path.
func isFileName(name string) bool { return fileName.MatchString(name) }

// described are the files that are taken when they are there, weights aside.
var described = []string{
	"open_clip_config.json", "config.json", "preprocessor_config.json",
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model",
}

// choose names the files of a checkpoint among those that are there: what
// describes it, and its weights or their index.
func choose(has func(name string) bool) (names []string, weights string, err error) {
	for _, name := range described {
		if has(name) {
			names = append(names, name)
		}
	}
	openCLIP := has("open_clip_config.json")
	if !openCLIP && !has("config.json") {
		return nil, "", fmt.Errorf("neither open_clip_config.json nor config.json is there: no checkpoint of a dual encoder")
	}
	candidates := checkpoint.WeightFiles(openCLIP)
	for _, name := range candidates {
		if has(name) {
			return append(names, name), name, nil
		}
	}
	return nil, "", fmt.Errorf("no weights: none of %s is there", strings.Join(candidates, ", "))
}

// shards returns the files that the index of sharded weights names.
func shards(name string, index []byte) ([]string, error) {
	names, err := checkpoint.Shards(name, index)
	if err != nil {
		return nil, err
	}
	for _, shard := range names {
		if !isFileName(shard) {
			return nil, fmt.Errorf("%s: %q is no file name", name, shard)
		}
	}
	return names, nil
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
		if f.check(s.Name) != nil {
			f = File{}
		}
		files[s.Name] = f
	}
	return info.SHA, files, nil
}

// address is where a file of a repository is at a commit.
func address(ref Ref, commit, name string) string {
	return endpoint() + "/" + ref.Repository + "/resolve/" + commit + "/" + name
}

// lookUp asks the hub for the commit of a revision and for the files of the
// checkpoint in it, with their checksums. Weights are not fetched.
func lookUp(ctx context.Context, c *fetch.Client, ref Ref, revision string) (Pin, error) {
	fail := func(err error) (Pin, error) { return Pin{}, explain(err, ref) }
	doc, err := c.Read(ctx, endpoint()+"/api/models/"+ref.Repository+"/revision/"+url.PathEscape(revision)+"?blobs=true", "application/json", maxSmall)
	if err != nil {
		return fail(err)
	}
	commit, files, err := parseListing(doc.Body)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", site(), err))
	}
	if commitHash.MatchString(revision) && commit != revision {
		return fail(fmt.Errorf("%s answers with commit %s to a question about %s", site(), commit, revision))
	}
	names, weights, err := choose(func(name string) bool { _, ok := files[name]; return ok })
	if err != nil {
		return fail(fmt.Errorf("%s: %w", ref.Page(), err))
	}
	p := Pin{Commit: commit, Endpoint: site(), Recorded: time.Now().UTC().Format(time.RFC3339), Files: map[string]File{}}
	add := func(name string) error {
		f, ok := files[name]
		if !ok {
			return fmt.Errorf("%s names %s, which is not in the repository", weights, name)
		}
		if f.blob() == "" {
			var err error
			if f, err = headFile(ctx, c, ref, commit, name); err != nil {
				return err
			}
		}
		p.Files[name] = f
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return fail(err)
		}
	}
	if checkpoint.IsIndex(weights) {
		body, err := readSmall(ctx, c, ref, commit, weights, p.Files[weights])
		if err != nil {
			return fail(err)
		}
		names, err := shards(weights, body)
		if err != nil {
			return fail(err)
		}
		for _, name := range names {
			if err := add(name); err != nil {
				return fail(err)
			}
		}
	}
	return p, nil
}

// headFile asks for the checksum of one file, for hubs whose listing has none.
func headFile(ctx context.Context, c *fetch.Client, ref Ref, commit, name string) (File, error) {
	header, err := c.Head(ctx, address(ref, commit, name))
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
		return File{}, fmt.Errorf("%s: X-Repo-Commit is %q instead of %s: %s does not speak the hub's protocol", name, got, commit, site())
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
		return File{}, fmt.Errorf("%s: entity tag %q is neither a SHA-256 nor git's checksum: %s does not speak the hub's protocol", name, tag, site())
	}
	return f, f.check(name)
}

// readSmall fetches a file into memory and checks it.
func readSmall(ctx context.Context, c *fetch.Client, ref Ref, commit, name string, want File) ([]byte, error) {
	doc, err := c.Read(ctx, address(ref, commit, name), "", maxSmall)
	if err != nil {
		return nil, err
	}
	got, err := digest(bytes.NewReader(doc.Body), want)
	if err != nil {
		return nil, err
	}
	if !got.agrees(want) {
		return nil, fmt.Errorf("%s: wrong bytes: %s instead of %s; nothing kept", name, got, want)
	}
	return doc.Body, nil
}
