package download

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Options say where sets are fetched to, and who is told and asked what.
type Options struct {
	Dir    string            // data folder; datasets.DataDir when empty
	From   From              // which of the ways to the set
	Report progress.Reporter // of files on their way; nil reports nothing
	Note   func(text string) // nil, or told of waits and of what is mended
	Agree  func(Plan) error  // nil, or asked before anything is fetched: an error ends it
}

func (o *Options) fill() (err error) {
	if o.Report == nil {
		o.Report = progress.Discard
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.Agree == nil {
		o.Agree = func(Plan) error { return nil }
	}
	if o.Dir == "" {
		o.Dir, err = datasets.DataDir()
	}
	return err
}

// Plan is what is about to be fetched.
type Plan struct {
	Origin
	From  From
	Files int
	Bytes int64 // to download, as far as servers tell
	Sizes bool  // they told all sizes
	// Unpinned is how many of the files nobody published a checksum of: theirs is
	// recorded.
	Unpinned     int
	LicenceShown bool // before, to this user
}

// Fetched is what Fetch did.
type Fetched struct {
	Dir        string   `json:"dir"`              // the data folder
	Downloaded int64    `json:"downloaded_bytes"` // what came over the network
	Recorded   []string `json:"recorded"`         // sources that the lock file did not know before
	Lock       string   `json:"lock"`
	Receipt    *Receipt `json:"receipt"`
}

// Folder is where the set lies.
func (f *Fetched) Folder() string { return filepath.Join(f.Dir, f.Receipt.Folder) }

// Fetch makes a set of the paper be in a data folder. What is there is kept and
// needs no network, also files that the user put there, if paper/NAME can be read
// from them. Downloads go on where they stopped. A source whose bytes are known,
// published or from an earlier fetch, is held to them.
func Fetch(ctx context.Context, name string, opts Options) (*Fetched, error) {
	o, err := Find(name)
	if err != nil {
		return nil, err
	}
	if err := opts.fill(); err != nil {
		return nil, err
	}
	if o.ByHand == "" {
		unlock, err := store.Lock(datasets.ReceiptPath(opts.Dir, o.Set) + ".lock")
		if err != nil {
			return nil, fmt.Errorf("data set %s is being fetched: %w", o.Set, err)
		}
		defer unlock()
	}
	lock, err := LockPath()
	if err != nil {
		return nil, err
	}
	f := &fetcher{Options: opts, origin: o, done: &Fetched{Dir: opts.Dir, Recorded: []string{}, Lock: lock}}
	here, err := f.here()
	if err != nil || here {
		return f.done, err
	}
	if f.table, err = o.choose(opts.From); err != nil {
		return nil, err
	}
	if err := f.offline(); err != nil {
		return nil, fmt.Errorf("data set %s is not whole in %s: %w", o.Set, opts.Dir, err)
	}
	if err := f.fetch(ctx); err != nil {
		return nil, err
	}
	return f.done, nil
}

type fetcher struct {
	Options
	origin  Origin
	table   *Table // nil for the makers' files
	done    *Fetched
	damaged *Receipt // of what is there in part; nil where nothing was fetched or all is there
	unread  error    // why the set cannot be read from what is there
}

// here reports whether the set is there.
func (f *fetcher) here() (bool, error) {
	r, err := ReadReceipt(f.Dir, f.origin.Set)
	if err == nil {
		if r.whole(f.Dir) {
			f.done.Receipt = r
			return true, nil
		}
		f.damaged = r
		f.Note(fmt.Sprintf("%s is not what was fetched any more: it is fetched again", filepath.Join(f.Dir, r.Folder)))
		return false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if _, f.unread = f.read(f.Dir); f.unread != nil {
		return false, nil
	}
	// Files that were there before: their places are the set's to know, so that
	// they are found again by reading them.
	f.done.Receipt = &Receipt{Schema: 1, Set: f.origin.Set, Page: f.origin.Page, Licence: f.origin.Licence, Sources: []Source{}, Folder: "."}
	return true, nil
}

func (f *fetcher) read(dir string) (*datasets.Task, error) {
	return datasets.Load("paper/"+f.origin.Set, datasets.LoadOptions{RealDir: dir})
}

func (f *fetcher) offline() error {
	if f.table != nil {
		return huggingface.Offline()
	}
	if fetch.Offline() {
		return fetch.ErrOffline
	}
	return nil
}

// folder is what the set fills below the data folder.
func (f *fetcher) folder() string {
	if f.table != nil {
		return datasets.HubFolder(f.origin.Set)
	}
	return f.origin.folder
}

// work is where files arrive.
func (f *fetcher) work(elem ...string) string {
	return filepath.Join(append([]string{f.Dir, "fetched", f.origin.Set}, elem...)...)
}

func (f *fetcher) fetch(ctx context.Context) error {
	final := filepath.Join(f.Dir, f.folder())
	if _, err := os.Stat(final); err == nil && f.damaged == nil {
		return fmt.Errorf("data set %s: %s is there, but cannot be read (%w): move it away first", f.origin.Set, final, f.unread)
	}
	hub, plain := huggingface.Client(f.Note), *fetch.Default
	plain.Note = f.Note
	other := &plain
	sources, err := f.plan(ctx, hub, other)
	if err != nil {
		return err
	}
	receipt := &Receipt{Schema: 1, Set: f.origin.Set, From: Makers, Page: f.origin.Page, Licence: f.origin.Licence, Folder: f.folder()}
	if f.table != nil {
		receipt.From = Hub
	}
	for _, s := range sources {
		client := other
		if s.repo != nil {
			client = hub
		}
		got, err := f.one(ctx, client, s)
		if err != nil {
			return err
		}
		receipt.Sources = append(receipt.Sources, got)
	}
	laid := f.work("data")
	if err := f.lay(ctx, sources, laid); err != nil {
		return err
	}
	// Before it takes its place: what cannot be read would look as if it were there.
	task, err := f.read(laid)
	if err != nil {
		return fmt.Errorf("data set %s was fetched, but is not as it should be: %w", f.origin.Set, err)
	}
	if t := f.table; t != nil {
		train, test := task.Train.Len()+task.Val.Len(), task.Test.Len()
		if train != t.train || test != t.test {
			receipt.OtherSplits = fmt.Sprintf("%d pictures for training and %d for testing, instead of %d and %d", train, test, t.train, t.test)
			f.Note(fmt.Sprintf("the table of %s does not have the official splits: %s", f.origin.Set, receipt.OtherSplits))
		}
	}
	receipt.Fetched = now()
	if err := receipt.list(filepath.Join(laid, f.folder())); err != nil {
		return err
	}
	if err := f.place(filepath.Join(laid, f.folder()), final); err != nil {
		return err
	}
	f.done.Receipt = receipt
	if err := receipt.write(f.Dir); err != nil {
		return err
	}
	return os.RemoveAll(f.work())
}

// plan looks up what is to be fetched, asks the user, and looks for space.
func (f *fetcher) plan(ctx context.Context, hub, other *fetch.Client) (sources []*source, err error) {
	l, err := readLock()
	if err != nil {
		return nil, err
	}
	if f.table != nil {
		var fresh bool
		if sources, fresh, err = tableSources(ctx, hub, l, f.table, f.origin.Set); err != nil {
			return nil, err
		}
		if fresh {
			f.done.Recorded = append(f.done.Recorded, sources[0].key)
		}
	} else {
		for _, file := range f.origin.Files {
			s, fresh, err := fileSource(ctx, other, hub, l, file, f.origin.Set)
			if err != nil {
				return nil, err
			}
			if fresh {
				f.done.Recorded = append(f.done.Recorded, s.key)
			}
			sources = append(sources, s)
		}
	}
	p := Plan{Origin: f.origin, From: Makers, Files: len(sources), Sizes: true, LicenceShown: l.Licences[f.origin.Set] != ""}
	if f.table != nil {
		p.From = Hub
	}
	for _, s := range sources {
		p.Bytes += max(s.size, 0)
		p.Sizes = p.Sizes && s.size >= 0
		if s.sum() == "" && s.repo == nil {
			p.Unpinned++
		}
	}
	if err := f.Agree(p); err != nil {
		return nil, err
	}
	if !p.LicenceShown {
		if err := record(func(l *Lock) { l.Licences[f.origin.Set] = now() }); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(f.work(), 0o755); err != nil {
		return nil, err
	}
	need := p.Bytes
	if f.table == nil {
		need *= 2 // pictures are compressed already: unpacked they are as large again
	}
	if err := fetch.EnoughSpace(f.work(), need); err != nil {
		return nil, fmt.Errorf("data set %s: %w (IIMM_CACHE moves the cache, --real names another folder)", f.origin.Set, err)
	}
	return sources, nil
}

// one brings a file into the work folder, and its checksum into the lock file.
func (f *fetcher) one(ctx context.Context, c *fetch.Client, s *source) (Source, error) {
	path := f.work(s.flat())
	known, pinned := s.known()
	_, err := os.Stat(path)
	there := err == nil
	if pinned && known.SHA256 == "" && !s.both() { // git keeps it itself: it is small
		body, err := s.repo.Read(ctx, c, s.pin.Commit, s.name, known)
		if err != nil {
			return Source{}, s.explain(err, f.origin.Set)
		}
		if err := store.WriteFile(path, body); err != nil {
			return Source{}, err
		}
	} else if err := c.Get(ctx, s.address, path, s.sum(), f.Report); err != nil {
		return Source{}, s.explain(err, f.origin.Set)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, err
	}
	if !there {
		f.done.Downloaded += info.Size()
	}
	if known.SHA256 == "" || s.both() {
		sum, err := fetch.SHA256(path)
		if err != nil {
			return Source{}, err
		}
		if known.SHA256 != "" && known.SHA256 != sum {
			os.Remove(path)
			return Source{}, fmt.Errorf("data set %s: refused: %s is what was published, but not what the lock file says: sha256 %s instead of %s", f.origin.Set, s.name, sum, known.SHA256)
		}
		known.Size, known.SHA256 = info.Size(), sum
		pin := s.pin
		pin.Files = maps.Clone(pin.Files)
		if pin.Files == nil {
			pin = Pin{Recorded: now(), Files: map[string]huggingface.File{}}
		}
		pin.Files[s.name] = known
		err = record(func(l *Lock) {
			if before, ok := l.Sources[s.key]; ok { // of the files before this one
				maps.Copy(pin.Files, before.Files)
				pin.Files[s.name] = known
			}
			l.Sources[s.key] = pin
		})
		if err != nil {
			return Source{}, err
		}
	}
	return Source{Address: s.address, Commit: s.pin.Commit, Size: info.Size(), SHA256: known.SHA256}, nil
}

// lay makes the set's folder of what was fetched, below the folder laid.
func (f *fetcher) lay(ctx context.Context, sources []*source, laid string) error {
	if err := os.RemoveAll(laid); err != nil { // of a run that was interrupted
		return err
	}
	for _, s := range sources {
		into := filepath.Join(laid, filepath.FromSlash(s.file.into))
		if f.table != nil {
			into = filepath.Join(laid, datasets.HubFolder(f.origin.Set))
		}
		if f.table == nil && !s.file.plain {
			u, err := unpack(ctx, f.work(s.flat()), into, s.file.without, f.Report)
			if err != nil {
				return fmt.Errorf("data set %s: %w", f.origin.Set, err)
			}
			if u.skipped > 0 {
				f.Note(fmt.Sprintf("%s: %d entries were left out: links, or paths that lead elsewhere", s.flat(), u.skipped))
			}
			continue
		}
		if err := os.MkdirAll(into, 0o755); err != nil {
			return err
		}
		// Linked, so that an interrupted run finds it where it arrived.
		to := filepath.Join(into, s.flat())
		if os.Link(f.work(s.flat()), to) != nil {
			if err := os.Rename(f.work(s.flat()), to); err != nil {
				return err
			}
		}
	}
	return nil
}

// place moves the set's folder to where it is read from.
func (f *fetcher) place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if f.damaged != nil {
		// What it was fetched as before would be read instead, where that is
		// another folder. Not removed: the user may have put something there.
		for _, old := range []string{filepath.Join(f.Dir, f.damaged.Folder), to} {
			if _, err := os.Stat(old); err != nil {
				continue
			}
			aside := fmt.Sprintf("%s.before-%s", old, time.Now().UTC().Format("20060102T150405"))
			if err := os.Rename(old, aside); err != nil {
				return err
			}
			f.Note("what was there before is in " + aside)
		}
	}
	return os.Rename(from, to)
}
