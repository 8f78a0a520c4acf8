package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

const unpinned = fetch.Unpinned

// Options say who is told what while files are fetched.
type Options struct {
	Report progress.Reporter // of every large file; nil reports nothing
	Note   func(text string) // nil, or told of waits and of damaged files
}

// Fetched is what Fetch did.
type Fetched struct {
	Name       string          `json:"name"`
	Repository string          `json:"repository"`
	Revision   string          `json:"revision"`
	Commit     string          `json:"commit"`
	Dir        string          `json:"dir"`
	Files      map[string]File `json:"files"`            // with their checksums; empty when unverified
	Bytes      int64           `json:"bytes"`            // of all files
	Downloaded int64           `json:"downloaded_bytes"` // the part that was not there
	// Recorded is set when commit and checksums were not known before and are
	// now in the lock file; Lock is that file.
	Recorded bool   `json:"recorded"`
	Lock     string `json:"lock"`
	// Unverified is set when, without a network, files that another program left
	// were found, whose checksums nobody told.
	Unverified bool `json:"unverified"`
}

// Has reports whether one of the names is among the files.
func (f *Fetched) Has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := f.Files[name]; return ok })
}

// Fetch makes a model be in Hugging Face's cache and returns where. Files that
// are there, by whomever fetched, are checked and kept; others come with
// resumption and are checked. A model without an entry in the lock file gets
// one, at the commit its revision has now; one with an entry must have the
// bytes that the entry says, and is refused otherwise.
func Fetch(ctx context.Context, name string, opts Options) (*Fetched, error) {
	ref, err := known(name)
	if err != nil {
		return nil, err
	}
	if opts.Report == nil {
		opts.Report = progress.Discard
	}
	if opts.Note == nil {
		opts.Note = func(string) {}
	}
	pins, err := pins()
	if err != nil {
		return nil, err
	}
	f, err := folderOf(ref)
	if err != nil {
		return nil, err
	}
	lock, err := LockPath()
	if err != nil {
		return nil, err
	}
	x := &fetcher{Options: opts, client: huggingface.Client(opts.Note), ref: ref, folder: f, pin: pins[ref.key()], files: map[string]File{}}
	done := &Fetched{Name: name, Repository: ref.Repository, Revision: ref.Revision, Lock: lock}
	if err := huggingface.Offline(); err != nil && !x.pin.pinned() {
		at, lerr := locate(ref, pins)
		if lerr != nil || !at.here {
			return nil, fmt.Errorf("model %s: %w", name, err)
		}
		done.Commit, done.Dir, done.Bytes, done.Files, done.Unverified = at.commit, at.dir, at.bytes, x.files, true
		return done, nil
	}
	if !x.pin.pinned() {
		if x.pin, err = lookUp(ctx, x.client, ref, ref.Revision); err != nil {
			return nil, err
		}
		// Now, not at the end: what goes on after an interruption must be the same.
		if err := record(lock, map[string]Pin{ref.key(): x.pin}); err != nil {
			return nil, err
		}
		if err := f.setCommit(ref.Revision, x.pin.Commit); err != nil {
			return nil, err
		}
		x.fresh, done.Recorded = true, true
	}
	if err := x.all(ctx); err != nil {
		return nil, err
	}
	// A branch that moved on since the entry was made keeps the commit that
	// others saw last.
	if f.commit(ref.Revision) == "" {
		if err := f.setCommit(ref.Revision, x.pin.Commit); err != nil {
			return nil, err
		}
	}
	if !maps.Equal(x.files, x.pin.Files) {
		x.pin.Files = x.files
		if err := record(lock, map[string]Pin{ref.key(): x.pin}); err != nil {
			return nil, err
		}
	}
	done.Commit, done.Dir, done.Files = x.pin.Commit, f.snapshot(x.pin.Commit), x.files
	done.Bytes, done.Downloaded = x.pin.bytes(), x.downloaded
	return done, nil
}

// fetcher brings the files of one pin.
type fetcher struct {
	Options
	client     *fetch.Client
	ref        Ref
	folder     folder
	pin        Pin
	fresh      bool            // the pin was looked up just now
	files      map[string]File // that are there, with all checksums
	downloaded int64
}

func (x *fetcher) all(ctx context.Context) error {
	var missing []string
	var need int64
	for _, name := range x.pin.names() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		want := x.pin.Files[name]
		got, ok, err := x.folder.has(x.pin.Commit, name, want)
		switch {
		case err != nil:
			return err
		case ok:
			x.files[name] = got
		default:
			if _, err := os.Stat(filepath.Join(x.folder.snapshot(x.pin.Commit), name)); err == nil {
				x.Note(fmt.Sprintf("%s of %s is damaged in the cache: it is fetched again", name, x.ref.Name))
			}
			missing = append(missing, name)
			need += want.Size
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := huggingface.Offline(); err != nil {
		return fmt.Errorf("model %s: %s is not in the cache: %w", x.ref.Name, missing[0], err)
	}
	if !x.fresh {
		if err := x.unchanged(ctx); err != nil {
			return err
		}
	}
	blobs := x.folder.blob("")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	if err := fetch.EnoughSpace(blobs, need); err != nil {
		return fmt.Errorf("model %s: %w (HF_HUB_CACHE moves the cache)", x.ref.Name, err)
	}
	for _, name := range missing {
		if err := x.one(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// unchanged refuses a server whose files are not those of the lock file before
// hundreds of megabytes tell it.
func (x *fetcher) unchanged(ctx context.Context) error {
	now, err := lookUp(ctx, x.client, x.ref, x.pin.Commit)
	if err != nil {
		return err
	}
	for _, name := range x.pin.names() {
		want := x.pin.Files[name]
		if got, ok := now.Files[name]; ok && !got.Agrees(want) {
			return fmt.Errorf("model %s: refused: %s offers a %s of %s, the lock file says %s, recorded %s for the same commit %s",
				x.ref.Name, huggingface.Site(), name, got, want, x.pin.Recorded, x.pin.Commit)
		}
	}
	return nil
}

func (x *fetcher) one(ctx context.Context, name string) error {
	want := x.pin.Files[name]
	blob := x.folder.blob(want.Blob())
	if want.GitSHA1 != "" {
		body, err := x.ref.repository().Read(ctx, x.client, x.pin.Commit, name, want)
		if err != nil {
			return explain(err, x.ref)
		}
		if err := store.WriteFile(blob, body); err != nil {
			return err
		}
	} else {
		err := x.client.Get(ctx, x.ref.repository().Address(x.pin.Commit, name), blob, want.SHA256, named{x.Report, name})
		if err != nil {
			return explain(err, x.ref)
		}
	}
	if err := x.folder.link(x.pin.Commit, name, want); err != nil {
		return err
	}
	got, ok := huggingface.Has(filepath.Join(x.folder.snapshot(x.pin.Commit), name), want)
	if !ok {
		return fmt.Errorf("model %s: %s changed on the disk while it was fetched", x.ref.Name, name)
	}
	x.files[name] = got
	x.downloaded += want.Size
	return nil
}

// named shows a file's own name; on the disk it is called by its checksum.
type named struct {
	progress.Reporter
	name string
}

func (n named) Start(_ string, total int) progress.Bar {
	return n.Reporter.Start("fetching "+n.name+" (MB)", total)
}

// Pinning is what Repin did with one model.
type Pinning struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Revision   string `json:"revision"`
	Commit     string `json:"commit,omitempty"`
	Before     string `json:"before"` // the commit that was pinned, or "unpinned"
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Error      string `json:"error,omitempty"` // why nothing was pinned
}

// Repin looks up the commits that the models' revisions have now and the
// checksums of their files, without fetching weights, and writes them into the
// lock file at path, "" for the user's. What could not be looked up stays as it
// is and carries its error; a hub that cannot be reached at all is not tried for
// every model.
func Repin(ctx context.Context, path string, names []string, opts Options) ([]Pinning, error) {
	if err := huggingface.Offline(); err != nil {
		return nil, err
	}
	if path == "" {
		var err error
		if path, err = LockPath(); err != nil {
			return nil, err
		}
	}
	own, err := readLock(path)
	if err != nil {
		return nil, err
	}
	var refs []Ref
	for _, name := range names {
		ref, err := known(name)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	c := huggingface.Client(opts.Note)
	var unreachable net.Error
	var list []Pinning
	fresh := map[string]Pin{}
	for _, ref := range refs {
		before := own.Models[ref.key()]
		p := Pinning{Name: ref.Name, Repository: ref.Repository, Revision: ref.Revision, Before: before.Commit}
		if p.Before == "" {
			p.Before = unpinned
		}
		now, err := lookUp(ctx, c, ref, ref.Revision)
		if err == nil && now.Commit == before.Commit {
			err = now.carry(before, ref)
		}
		if ctx.Err() != nil {
			return list, context.Cause(ctx)
		}
		if errors.As(err, &unreachable) {
			return list, errors.Join(err, record(path, fresh))
		}
		if err != nil {
			p.Error = err.Error()
		} else {
			fresh[ref.key()] = now
			p.Commit, p.Files, p.Bytes = now.Commit, len(now.Files), now.bytes()
		}
		list = append(list, p)
	}
	return list, record(path, fresh)
}

// carry keeps what was known of the same commit and refuses a contradiction.
func (p Pin) carry(before Pin, ref Ref) error {
	for _, name := range slices.Sorted(maps.Keys(before.Files)) {
		old := before.Files[name]
		now, ok := p.Files[name]
		if !ok {
			continue
		}
		if !now.Agrees(old) {
			return fmt.Errorf("model %s: refused: %s offers a %s of %s, the lock file says %s for the same commit %s",
				ref.Name, huggingface.Site(), name, now, old, p.Commit)
		}
		p.Files[name] = old
	}
	return nil
}
