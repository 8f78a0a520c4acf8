package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// Source is the opened weights of a checkpoint: the tensors of one file, or of
// the shards that an index lists.
type Source struct {
	name   string // of the file or the index
	files  []reader
	at     map[string]place
	names  []string
	unread []string
}

// reader is an open file of tensors.
type reader interface {
	Names() []string
	Tensor(name string) (tensorfile.Tensor, error)
	Close() error
}

// place is where a tensor is stored, under which name.
type place struct {
	file   reader
	name   string
	stored string
}

// Open opens the weights in a folder: files of safetensors or of torch.save,
// memory mapped, single or sharded, named as Hugging Face (model.safetensors,
// pytorch_model.bin) and open_clip (open_clip_model.safetensors,
// open_clip_pytorch_model.bin) do; failing these, the one *.safetensors, *.pt
// or *.pth there is.
//
// Of several, safetensors come before torch.save's, and first of all the files
// of the library whose configuration the folder has: with
// open_clip_config.json that is open_clip, since repositories with both hold
// the same model in both layouts. Unread says what was passed over.
//
// Tensors of models that were trained in parallel are named without their
// prefix "module.".
func Open(dir string) (*Source, error) {
	return open(os.DirFS(dir), func(name string) (reader, error) {
		file := filepath.Join(dir, name)
		if isSafetensors(name) {
			return opened(tensorfile.OpenSafetensors(file))
		}
		return opened(tensorfile.OpenTorch(file))
	})
}

// OpenFS is Open for the files of a file system, such as embedded ones, which
// it reads into memory.
func OpenFS(files fs.FS) (*Source, error) {
	return open(files, func(name string) (reader, error) {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if isSafetensors(name) {
			return opened(tensorfile.ParseSafetensors(data, name))
		}
		return opened(tensorfile.ParseTorch(data, name))
	})
}

// opened keeps a nil pointer from becoming a reader that is not nil.
func opened[R reader](r R, err error) (reader, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

func isSafetensors(name string) bool { return path.Ext(name) == ".safetensors" }

func open(files fs.FS, openFile func(string) (reader, error)) (*Source, error) {
	found, err := candidates(files)
	if err != nil {
		return nil, err
	}
	s := &Source{name: found[0], at: map[string]place{}}
	if IsIndex(s.name) {
		err = s.addShards(files, openFile)
	} else {
		err = s.addFile(s.name, openFile, nil)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.trimPrefix("module.")
	s.unread = found[1:]
	return s, nil
}

// candidates lists the files that hold weights, or the index to them, best first.
func candidates(files fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = !e.IsDir()
	}
	known := WeightFiles(there["open_clip_config.json"])
	var found []string
	for _, name := range known {
		if there[name] {
			found = append(found, name)
		}
	}
	if found != nil {
		return found, nil
	}
	for _, extensions := range [][]string{{".safetensors"}, {".pt", ".pth"}} {
		var others []string
		for _, e := range entries {
			if there[e.Name()] && slices.Contains(extensions, path.Ext(e.Name())) {
				others = append(others, e.Name())
			}
		}
		if found == nil && len(others) > 1 {
			return nil, fmt.Errorf("which weights? There are %s, and no model.safetensors or index", list(others))
		}
		found = append(found, others...)
	}
	if found == nil {
		return nil, fmt.Errorf("no weights: there is none of %s, and no other .safetensors, .pt or .pth", strings.Join(known, ", "))
	}
	return found, nil
}

// addFile opens a file and takes in its tensors. When index is not nil, they
// must be those that it says are in this file.
func (s *Source) addFile(name string, openFile func(string) (reader, error), index map[string]string) error {
	f, err := openFile(name)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	var strangers []string
	for _, tensor := range f.Names() {
		if index != nil && index[tensor] != name {
			strangers = append(strangers, printable(tensor))
		}
		s.at[tensor] = place{f, name, tensor}
		s.names = append(s.names, tensor)
	}
	if strangers != nil {
		return fmt.Errorf("%s: it holds tensors that %s does not place there: %s", name, s.name, list(strangers))
	}
	return nil
}

// addShards opens all files of an index.
func (s *Source) addShards(files fs.FS, openFile func(string) (reader, error)) error {
	data, err := fs.ReadFile(files, s.name)
	if err != nil {
		return err
	}
	index, err := parseIndex(data, path.Ext(strings.TrimSuffix(s.name, indexSuffix)))
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	inShard := map[string][]string{}
	for tensor, shard := range index {
		inShard[shard] = append(inShard[shard], tensor)
	}
	var shards, absent []string
	for shard := range inShard {
		shards = append(shards, shard)
	}
	slices.Sort(shards)
	for _, shard := range shards {
		if _, err := fs.Stat(files, shard); errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, printable(shard))
		}
	}
	if absent != nil {
		return fmt.Errorf("%s: shards that are not there: %s", s.name, list(absent))
	}
	for _, shard := range shards {
		if err := s.addFile(shard, openFile, index); err != nil {
			return err
		}
		var missing []string
		for _, tensor := range inShard[shard] {
			if _, ok := s.at[tensor]; !ok {
				missing = append(missing, printable(tensor))
			}
		}
		if missing != nil {
			return fmt.Errorf("%s: it lacks tensors that %s places there: %s", shard, s.name, list(missing))
		}
	}
	slices.Sort(s.names)
	return nil
}

// trimPrefix takes a prefix away that all names have.
func (s *Source) trimPrefix(prefix string) {
	for _, n := range s.names {
		if !strings.HasPrefix(n, prefix) {
			return
		}
	}
	at := make(map[string]place, len(s.at))
	for i, n := range s.names {
		s.names[i] = n[len(prefix):]
		at[s.names[i]] = s.at[n]
	}
	s.at = at
}

// Names returns the tensors' names, sorted.
func (s *Source) Names() []string { return slices.Clone(s.names) }

// Float32 returns a tensor's shape and values. Stored as float32, the values
// are the file's memory map: they must not be changed, nor used after Close.
// Other floating-point types are converted: half precision exactly, double
// precision rounded.
func (s *Source) Float32(name string) (shape []int, data []float32, err error) {
	p, ok := s.at[name]
	if !ok {
		return nil, nil, fmt.Errorf("%s: no tensor %q", s.name, name)
	}
	t, err := p.file.Tensor(p.stored)
	if err != nil {
		return nil, nil, err
	}
	if data, err = t.Float32s(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return t.Shape, data, nil
}

// Where returns the name of the file that holds a tensor, or, when there is no
// such tensor, of the file or index where it would be.
func (s *Source) Where(tensor string) string {
	if p, ok := s.at[tensor]; ok {
		return p.name
	}
	return s.name
}

// Unread lists the files of the folder that would have been read in the
// absence of better ones.
func (s *Source) Unread() []string { return slices.Clone(s.unread) }

// Close closes the files. Values taken from them must not be used afterwards.
func (s *Source) Close() error {
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	s.files, s.at, s.names = nil, nil, nil
	return err
}
