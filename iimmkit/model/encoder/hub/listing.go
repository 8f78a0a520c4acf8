package hub

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/checkpoint"
)

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

// lookUp asks the hub for the commit of a revision and for the files of the
// checkpoint in it, with their checksums. Weights are not fetched.
func lookUp(ctx context.Context, c *fetch.Client, ref Ref, revision string) (Pin, error) {
	fail := func(err error) (Pin, error) { return Pin{}, explain(err, ref) }
	commit, files, err := ref.repository().Describe(ctx, c, revision)
	if err != nil {
		return fail(err)
	}
	names, weights, err := choose(func(name string) bool { _, ok := files[name]; return ok })
	if err != nil {
		return fail(fmt.Errorf("%s: %w", ref.Page(), err))
	}
	p := Pin{Commit: commit, Endpoint: huggingface.Site(), Recorded: time.Now().UTC().Format(time.RFC3339), Files: map[string]File{}}
	add := func(name string) error {
		f, ok := files[name]
		if !ok {
			return fmt.Errorf("%s names %s, which is not in the repository", weights, name)
		}
		if f.Blob() == "" {
			var err error
			if f, err = ref.repository().Head(ctx, c, commit, name); err != nil {
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
		body, err := ref.repository().Read(ctx, c, commit, weights, p.Files[weights])
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

// explain tells what a refusal means and where to go.
func explain(err error, ref Ref) error {
	return ref.repository().Explain(err, "model "+ref.Name, ref.Revision)
}
