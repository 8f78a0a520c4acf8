package parquet

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

// Part is one of the files of a table, which need not be on this machine.
type Part struct {
	Name string
	Data io.ReaderAt
	Size int64
	// Fetch, when not nil, is told which bytes will be read next.
	Fetch func(off, n int64) error
}

// Sampled is what Sample wrote.
type Sampled struct {
	Images  int `json:"images"`
	Classes int `json:"classes"` // that have an image
	// Of is the number of images in all, and OfClasses of classes, 0 where the
	// files do not tell.
	Of        int64 `json:"of_images"`
	OfClasses int   `json:"of_classes"`
	// LeastOfClass and MostOfClass are over the classes with an image.
	LeastOfClass int `json:"least_of_class"`
	MostOfClass  int `json:"most_of_class"`
	RowGroups    int `json:"row_groups"` // that images were taken from
}

// Limits of what is looked at for a sample.
const (
	perPlace   = 50 // images taken from one row group, where there are several
	mostPlaces = 8  // row groups that a sample is taken from at least, where it is large
	mostLooks  = 64 // row groups whose labels are read, at least, before they are taken as they are
)

// place is a row group whose labels are known.
type place struct {
	part, group int
	classes     []string         // in order
	left        map[string][]int // rows of each class that are not taken
	taken       []row
}

type row struct {
	at    int // in the row group
	label string
}

func newPlace(part, group int, labels []string) *place {
	p := &place{part: part, group: group, left: map[string][]int{}}
	for i, l := range labels {
		if l != "" {
			p.left[l] = append(p.left[l], i)
		}
	}
	p.classes = slices.Sorted(maps.Keys(p.left))
	return p
}

// Sample writes n of the images of a table as a parquet file, of which Open
// makes the same classes: footers and labels are read, and of the pictures those
// of some row groups, from their beginning. Row groups are drawn by seed. As far
// as the labels that were read go, each class has as many images as any other.
func Sample(w io.Writer, parts []Part, n int, seed uint64, report progress.Reporter) (*Sampled, error) {
	s := &sampler{parts: parts, want: n, report: report}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := s.look(rand.New(rand.NewPCG(seed, 0x73616d706c65))); err != nil {
		return nil, err
	}
	s.choose()
	rows, groups, err := s.read()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("none of the images that were looked at can be used")
	}
	done := &Sampled{Images: len(rows), Of: s.rows, OfClasses: len(s.tables[0].names), RowGroups: groups}
	count := map[string]int{}
	for _, r := range rows {
		count[r.Label]++
	}
	done.Classes = len(count)
	done.LeastOfClass, done.MostOfClass = slices.Min(slices.Collect(maps.Values(count))), slices.Max(slices.Collect(maps.Values(count)))
	return done, Write(w, rows, s.tables[0].names)
}

type sampler struct {
	parts   []Part
	want    int
	report  progress.Reporter
	tables  []*table
	columns []columns
	rows    int64
	places  []*place
}

// open reads the footers.
func (s *sampler) open() error {
	if len(s.parts) == 0 || s.want < 1 {
		return errors.New("a sample of no images")
	}
	for _, p := range s.parts {
		const usual = 64 << 10 // a footer, without a first request for its length
		if err := s.fetch(p, max(p.Size-usual, 0), min(p.Size, usual)); err != nil {
			return err
		}
		t, c, err := func() (t *table, c columns, err error) {
			defer recovered(&err)
			return newOutline(io.NewSectionReader(p.Data, 0, p.Size), p.Name, "")
		}()
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if len(s.tables) > 0 && !slices.Equal(t.names, s.tables[0].names) {
			return fmt.Errorf("%s: the class names are not those of the files before it", p.Name)
		}
		s.tables, s.columns = append(s.tables, t), append(s.columns, c)
		s.rows += t.starts[len(t.starts)-1]
	}
	return nil
}

func (s *sampler) fetch(p Part, off, n int64) error {
	if p.Fetch == nil {
		return nil
	}
	return p.Fetch(off, n)
}

// fetchColumn announces a whole column of a row group.
func (s *sampler) fetchColumn(part, group, column int) error {
	c, err := s.tables[part].file.MetaData().RowGroup(group).ColumnChunk(column)
	if err != nil {
		return oneLine(err)
	}
	start := c.DataPageOffset()
	if c.HasDictionaryPage() && c.DictionaryPageOffset() > 0 {
		start = min(start, c.DictionaryPageOffset())
	}
	return s.fetch(s.parts[part], start, c.TotalCompressedSize())
}

// look reads labels, row group by row group in a drawn order, until every class
// has enough of them.
func (s *sampler) look(rng *rand.Rand) error {
	type at struct{ part, group int }
	var all []at
	for i, t := range s.tables {
		for g := range t.file.NumRowGroups() {
			if t.starts[g+1] > t.starts[g] {
				all = append(all, at{i, g})
			}
		}
	}
	if len(all) == 0 {
		return errors.New("the table has no rows")
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	enough := s.spreadOver(len(all))
	bar := s.report.Start("reading labels (row groups)", 0)
	defer bar.Done()
	count := map[string]int{}
	for i, a := range all {
		if i >= enough && s.sufficient(count) || i >= max(mostLooks, s.want) {
			break
		}
		labels, err := s.labels(a.part, a.group)
		if err != nil {
			return fmt.Errorf("%s: %w", s.parts[a.part].Name, err)
		}
		p := newPlace(a.part, a.group, labels)
		for l, rows := range p.left {
			count[l] += len(rows)
		}
		s.places = append(s.places, p)
		bar.Add(1)
	}
	return nil
}

// labels reads those of a row group; what is no class of the table is empty.
func (s *sampler) labels(part, group int) (labels []string, err error) {
	defer recovered(&err)
	if err := s.fetchColumn(part, group, s.columns[part].label); err != nil {
		return nil, err
	}
	labels, err = s.tables[part].textsOf(group, s.columns[part].label)
	if names := s.tables[part].names; names != nil {
		for i, l := range labels {
			if k, err := strconv.Atoi(l); err != nil || k < 0 || k >= len(names) {
				labels[i] = ""
			}
		}
	}
	return labels, err
}

// spreadOver is from how many of the row groups images are taken at least.
func (s *sampler) spreadOver(groups int) int { return min(groups, max(s.want/perPlace, 1), mostPlaces) }

// share is what each class gets at most while others can have more.
func (s *sampler) share(classes int) int { return (s.want + classes - 1) / classes }

// sufficient reports whether the labels that were seen are enough of each class.
func (s *sampler) sufficient(count map[string]int) bool {
	names := s.tables[0].names
	if names == nil {
		total := 0
		for _, n := range count {
			total += n
		}
		return total >= s.want
	}
	enough := 0
	for k := range names {
		if count[strconv.Itoa(k)] >= s.share(len(names)) {
			enough++
		}
	}
	return enough >= min(len(names), s.want)
}

// choose takes rows: one of each class, then a second, and so on, each time
// from the row group that has most of what is missing, those in use first.
// Only when nothing is left so does a row group give more than its part.
func (s *sampler) choose() {
	total, count := 0, map[string]int{}
	spread := s.spreadOver(len(s.places))
	for _, most := range []int{(s.want + spread - 1) / spread, s.want} {
		for share := 1; share <= s.mostOfOneClass() && total < s.want; share++ {
			for total < s.want {
				var best *place
				gain := 0
				for _, p := range s.places {
					n := p.take(count, share, min(most-len(p.taken), s.want-total), false)
					if n > gain || n == gain && n > 0 && len(p.taken) > 0 && len(best.taken) == 0 {
						best, gain = p, n
					}
				}
				if gain == 0 {
					break
				}
				total += best.take(count, share, gain, true)
			}
		}
	}
}

// mostOfOneClass bounds the shares that can find rows.
func (s *sampler) mostOfOneClass() int {
	count := map[string]int{}
	for _, p := range s.places {
		for l, rows := range p.left {
			count[l] += len(rows)
		}
		for _, r := range p.taken {
			count[r.label]++
		}
	}
	return slices.Max(append(slices.Collect(maps.Values(count)), 0))
}

// take takes up to limit rows, the first ones, with which classes come nearer to
// the share, or only counts them.
func (p *place) take(count map[string]int, share, limit int, really bool) int {
	n := 0
	for _, l := range p.classes {
		k := min(share-count[l], len(p.left[l]), limit-n)
		if k <= 0 {
			continue
		}
		n += k
		if really {
			for _, i := range p.left[l][:k] {
				p.taken = append(p.taken, row{i, l})
			}
			p.left[l] = p.left[l][k:]
			count[l] += k
		}
	}
	return n
}

// read fetches the pictures of the chosen rows, in the order of the files. Rows
// without one are left out.
func (s *sampler) read() (rows []Row, groups int, err error) {
	defer recovered(&err)
	slices.SortFunc(s.places, func(a, b *place) int { return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.group, b.group)) })
	total := 0
	for _, p := range s.places {
		total += len(p.taken)
	}
	bar := s.report.Start("reading pictures", total)
	defer bar.Done()
	for _, p := range s.places {
		if len(p.taken) == 0 {
			continue
		}
		groups++
		slices.SortFunc(p.taken, func(a, b row) int { return cmp.Compare(a.at, b.at) })
		t, c := s.tables[p.part], s.columns[p.part]
		pictures, err := t.readPictures(p.group, 0, p.taken[len(p.taken)-1].at+1)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", s.parts[p.part].Name, err)
		}
		var paths []string
		if c.path >= 0 {
			if err := s.fetchColumn(p.part, p.group, c.path); err != nil {
				return nil, 0, err
			}
			if paths, err = t.textsOf(p.group, c.path); err != nil {
				return nil, 0, fmt.Errorf("%s: %w", s.parts[p.part].Name, err)
			}
		}
		for _, taken := range p.taken {
			if len(pictures[taken.at]) == 0 {
				continue
			}
			r := Row{Image: pictures[taken.at], Label: taken.label, Path: fmt.Sprintf("%s#%d", s.parts[p.part].Name, t.starts[p.group]+int64(taken.at))}
			if paths != nil && paths[taken.at] != "" {
				r.Path = paths[taken.at]
			}
			rows = append(rows, r)
		}
		bar.Add(len(p.taken))
	}
	return rows, groups, nil
}
