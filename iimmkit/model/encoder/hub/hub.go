// Package hub finds and fetches checkpoints of the Hugging Face hub: the
// models of the paper by short names, any other as hf:OWNER/REPO. Files lie in
// Hugging Face's own cache, where Python finds them and where what Python
// fetched is found. Revisions and checksums are kept in a lock file: what was
// fetched once is never silently replaced by something else.
//
// go-huggingface's hub package is not used: it keeps no checksum, cannot resume,
// asks the network about files that are there, writes no refs, knows neither
// HF_HUB_CACHE nor HF_HUB_OFFLINE, and leaves it to net/http whom it tells the
// token.
package hub

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
)

// ErrName is wrapped by errors about a name that cannot be one of the hub's.
var ErrName = errors.New("not a model of the hub")

// defaultRevision is the branch of a repository that is meant without @.
const defaultRevision = "main"

// Ref is what a name stands for.
type Ref struct {
	Name       string // as Fetch takes it: clip-b-32, hf:OWNER/REPO, hf:OWNER/REPO@REVISION
	Repository string // OWNER/REPO
	Revision   string // a branch, a tag or a commit
}

// key is the entry of the lock file.
func (r Ref) key() string { return r.Repository + "@" + r.Revision }

// repository is where the hub has it.
func (r Ref) repository() huggingface.Repository { return huggingface.Repository{Name: r.Repository} }

// Page is where people read about the model and accept its conditions.
func (r Ref) Page() string { return r.repository().Page() }

const prefix = "hf:"

var (
	// As huggingface_hub's validate_repo_id, with an owner.
	repository = regexp.MustCompile(`^[0-9A-Za-z_]([0-9A-Za-z_.-]{0,94}[0-9A-Za-z_])?/[0-9A-Za-z_]([0-9A-Za-z_.-]{0,94}[0-9A-Za-z_])?$`)
	revision   = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.-]*(/[0-9A-Za-z_][0-9A-Za-z_.-]*)*$`)
)

// Parse reads a name of the catalogue or hf:OWNER/REPO[@REVISION]. Any other
// name is not one of the hub's: false without an error.
func Parse(name string) (Ref, bool, error) {
	for _, e := range catalogue {
		if e.Name == name {
			return Ref{name, e.Repository, defaultRevision}, true, nil
		}
	}
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return Ref{}, false, nil
	}
	repo, rev, given := strings.Cut(rest, "@")
	if !given {
		rev = defaultRevision
	}
	// "--" would make two repositories of one cache folder.
	if !repository.MatchString(repo) || strings.Contains(repo, "--") || strings.Contains(repo, "..") || strings.HasSuffix(repo, ".git") {
		return Ref{}, true, fmt.Errorf("%q is %w: hf: is followed by OWNER/REPO, then perhaps @REVISION", name, ErrName)
	}
	if !revision.MatchString(rev) || strings.Contains(rev, "..") || strings.HasSuffix(rev, ".lock") {
		return Ref{}, true, fmt.Errorf("%q is %w: %q is no branch, tag or commit", name, ErrName, rev)
	}
	return Ref{name, repo, rev}, true, nil
}

// known is Parse for who needs a model of the hub.
func known(name string) (Ref, error) {
	ref, ok, err := Parse(name)
	if err == nil && !ok {
		var names []string
		for _, e := range catalogue {
			names = append(names, e.Name)
		}
		err = fmt.Errorf("%q is %w: give one of %s, or hf:OWNER/REPO", name, ErrName, strings.Join(names, ", "))
	}
	return ref, err
}
