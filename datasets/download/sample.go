package download

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/parquet"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
	"github.com/iimmkit/iimm/iimmkit/file/progress"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// SampleOptions say what a sample is of.
type SampleOptions struct {
	Options
	Images int    // as many
	Split  string // train or test; train when empty
	Seed   uint64 // of the row groups
}

// Sampled is what Sample did.
type Sampled struct {
	Set        string           `json:"set"`
	Split      string           `json:"split"`
	Seed       uint64           `json:"seed"`
	Path       string           `json:"path"` // of a parquet file, to be read as any
	Bytes      int64            `json:"bytes"`
	SHA256     string           `json:"sha256"`
	Downloaded int64            `json:"downloaded_bytes"`
	Total      int64            `json:"total_bytes"` // of the split's files, 0 when they were not asked for
	Repository string           `json:"repository"`
	Commit     string           `json:"commit"`
	Sample     *parquet.Sampled `json:"sample,omitempty"` // nil for one that was there
	Recorded   []string         `json:"recorded"`
}

// block is what is asked for at least where pictures are read one after the
// other.
const block = 256 << 10

// Sample fetches what so many images of a set need, of the row groups of its
// table on the hub, as balanced as can be, into a parquet file in samples/ below
// the data folder. The same commit, number and seed give the same file. The table
// is the one at the commit that the lock file has; that its bytes are those of
// the commit is for the hub to answer for, as only a whole file has a checksum.
func Sample(ctx context.Context, name string, opts SampleOptions) (*Sampled, error) {
	o, err := Find(name)
	if err != nil {
		return nil, err
	}
	if err := opts.fill(); err != nil {
		return nil, err
	}
	if opts.Split == "" {
		opts.Split = "train"
	}
	table := o.Samples
	if table == nil {
		table = o.Table
	}
	switch {
	case o.ByHand != "":
		_, err := o.choose(Any)
		return nil, err
	case table == nil:
		return nil, fmt.Errorf("data set %s comes in %d archive(s), of which a sample cannot be had: fetch it whole", o.Set, len(o.Files))
	case opts.Images < 1:
		return nil, errors.New("a sample of no images")
	case opts.Split != "train" && opts.Split != "test":
		return nil, fmt.Errorf("split %q: samples are of train or test", opts.Split)
	}
	done := &Sampled{Set: o.Set, Split: opts.Split, Seed: opts.Seed, Repository: table.Repository, Recorded: []string{}}
	l, err := readLock()
	if err != nil {
		return nil, err
	}
	done.Commit = l.Sources["hub:"+table.Repository+"@"+branch].Commit
	if done.Commit != "" {
		if err := done.find(opts); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return done, err
		}
	}
	if err := huggingface.Offline(); err != nil {
		return nil, fmt.Errorf("this sample of data set %s is not in %s: %w", o.Set, opts.Dir, err)
	}
	return done, done.fetch(ctx, o, table, l, opts)
}

// find looks for the sample where an earlier run put it.
func (d *Sampled) find(opts SampleOptions) error {
	d.Path = filepath.Join(opts.Dir, "samples", fmt.Sprintf("%s-%s-%d-seed%d-%.8s.parquet", d.Set, d.Split, opts.Images, d.Seed, d.Commit))
	info, err := os.Stat(d.Path)
	if err != nil {
		return err
	}
	d.Bytes = info.Size()
	d.SHA256, err = fetch.SHA256(d.Path)
	return err
}

func (d *Sampled) fetch(ctx context.Context, o Origin, table *Table, l Lock, opts SampleOptions) error {
	client := huggingface.Client(opts.Note)
	sources, fresh, err := tableSources(ctx, client, l, table, o.Set)
	if err != nil {
		return err
	}
	if fresh {
		d.Recorded = append(d.Recorded, sources[0].key)
	}
	d.Commit = sources[0].pin.Commit
	plan := Plan{Origin: o, From: Hub, Sizes: false, LicenceShown: l.Licences[o.Set] != ""}
	sources = slices.DeleteFunc(sources, func(s *source) bool { return datasets.SplitOf(s.flat()) != d.Split })
	plan.Files = len(sources)
	if err := opts.Agree(plan); err != nil {
		return err
	}
	if !plan.LicenceShown {
		if err := record(func(l *Lock) { l.Licences[o.Set] = now() }); err != nil {
			return err
		}
	}
	parts, remotes, err := d.open(ctx, client, o.Set, sources, opts.Report)
	if err != nil {
		return err
	}
	if err := d.find(opts); err == nil || !errors.Is(err, fs.ErrNotExist) { // of this commit, which was not known above
		return err
	}
	out, err := store.Create(d.Path)
	if err != nil {
		return err
	}
	defer out.Close()
	if d.Sample, err = parquet.Sample(out, parts, opts.Images, opts.Seed, opts.Report); err != nil {
		return fmt.Errorf("data set %s: %w", o.Set, err)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	for _, p := range remotes {
		d.Downloaded += p.Fetched()
	}
	return d.find(opts)
}

// open opens the files of the split, of which nothing is read yet.
func (d *Sampled) open(ctx context.Context, client *fetch.Client, set string, sources []*source, report progress.Reporter) (parts []parquet.Part, remotes []*fetch.Parts, err error) {
	bar := report.Start(fmt.Sprintf("opening %s (files)", d.Repository), len(sources))
	defer bar.Done()
	for _, s := range sources {
		r, err := client.Open(ctx, s.address)
		if err != nil {
			return nil, nil, s.explain(err, set)
		}
		if r.Size() != s.size {
			return nil, nil, fmt.Errorf("data set %s: refused: %s has %d bytes, the lock file says %d of commit %s", set, s.address, r.Size(), s.size, d.Commit)
		}
		p := fetch.NewParts(r, block)
		remotes = append(remotes, p)
		parts = append(parts, parquet.Part{Name: s.flat(), Data: p, Size: p.Size(), Fetch: p.Fetch})
		d.Total += p.Size()
		bar.Add(1)
	}
	return parts, remotes, nil
}
