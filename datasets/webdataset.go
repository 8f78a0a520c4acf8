package datasets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Files that CLIP_benchmark writes beside its shards.
const (
	classNamesFile = "classnames.txt"
	templatesFile  = "zeroshot_classification_templates.txt"
	shardCountFile = "nshards.txt"
)

// shard is one tar file of a webdataset.
type shard struct {
	id      string // below the source; empty when the shard is the source
	split   string
	open    func() (io.ReadSeekCloser, error)
	entries *tarEntries
}

// shards are the paths of the tar files in a folder and in the folders of its
// splits, below it and in the order of the numbers in their names.
func shards(folder string) []string {
	var found []string
	list := func(inner string) (folders []string) {
		entries, _ := os.ReadDir(filepath.Join(folder, inner))
		for _, e := range entries {
			switch name := e.Name(); {
			case isDebris(name):
			case e.IsDir():
				folders = append(folders, name)
			case strings.EqualFold(filepath.Ext(name), ".tar"):
				found = append(found, filepath.Join(inner, name))
			}
		}
		return folders
	}
	for _, inner := range list("") {
		if splitName(inner) != "" {
			list(inner)
		}
	}
	slices.SortFunc(found, natural)
	return found
}

// readShards reads a folder of shards.
func readShards(folder string, opt FolderOptions, problems *Problems) (*Source, error) {
	names := shards(folder)
	splits := splitsOf(names)
	var list []shard
	inFolder := map[string]int{}
	for i, name := range names {
		path := filepath.Join(folder, name)
		s := shard{id: filepath.ToSlash(name), split: splits[i], open: func() (io.ReadSeekCloser, error) { return os.Open(path) }}
		inFolder[filepath.Dir(name)]++
		f, err := s.open()
		if err != nil {
			problems.Add(Unreadable, s.id, reason(err))
			continue
		}
		s.entries, err = listTar(f, s.id+"/", opt, problems)
		f.Close()
		switch {
		case opt.Context.Err() != nil:
			return nil, opt.Context.Err()
		case err != nil:
			problems.Add(Truncated, s.id, err.Error())
		case !s.entries.isWebdataset():
			problems.Add(BadRow, s.id, "holds no .cls files, so it is no shard of a webdataset")
		default:
			list = append(list, s)
		}
	}
	for inner, n := range inFolder {
		text, err := os.ReadFile(filepath.Join(folder, inner, shardCountFile))
		if err != nil {
			continue
		}
		if want, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && want != n {
			problems.Add(Truncated, filepath.ToSlash(filepath.Join(inner, shardCountFile)), fmt.Sprintf("promises %d shards, %d are there", want, n))
		}
	}
	return webdataset(folder, list, problems)
}

// splitsOf are the splits of files; all are empty when one has none.
func splitsOf(names []string) []string {
	splits := make([]string, len(names))
	for i, name := range names {
		if splits[i] = SplitOf(name); splits[i] == "" {
			return make([]string, len(names))
		}
	}
	return splits
}

// webdataset joins shards. The names of the classes and the captions lie beside
// them, or above the folder of their split.
func webdataset(source string, list []shard, problems *Problems) (*Source, error) {
	s := &Source{Path: source}
	var in []shard // of each record
	var members []member
	s.Picture = func(i int, options ...picture.Option) (*picture.RGB, error) {
		r, err := in[i].entries.reader(in[i].open)(members[i])
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return picture.Decode(r, options...)
	}
	beside := []string{source}
	if len(list) == 1 && list[0].id == "" {
		beside[0] = filepath.Dir(source)
	}
	if splitName(filepath.Base(beside[0])) != "" { // the folder of a split
		beside = append(beside, filepath.Dir(beside[0]))
	}
	numbers := true
	for _, sh := range list {
		prefix := sh.id
		if prefix != "" {
			prefix += "/"
		}
		used := map[string]bool{}
		for _, m := range sh.entries.members {
			key, extension := splitKey(m.name)
			if !picture.HasExtension("." + extension) {
				continue // captions, metadata
			}
			label, ok := sh.entries.labels[key]
			switch {
			case !ok || label == "":
				problems.Add(BadRow, prefix+m.name, "has no .cls file, or an empty one")
				continue
			case used[key]:
				problems.Add(DuplicateFile, prefix+m.name, "is a second picture of its sample")
				continue
			}
			used[key] = true
			numbers = numbers && isNumber(label)
			s.Records = append(s.Records, Record{ID: prefix + m.name, Class: label, Split: sh.split, Size: m.size})
			in, members = append(in, sh), append(members, m)
		}
		for _, key := range slices.Sorted(maps.Keys(sh.entries.labels)) {
			if !used[key] {
				problems.Add(BadRow, prefix+key+".cls", "has no picture")
			}
		}
	}
	names, err := readLines(beside, classNamesFile)
	if err != nil {
		return nil, err
	}
	if numbers && names != nil {
		s.Names = names
		for k := range names {
			s.Classes = append(s.Classes, strconv.Itoa(k))
		}
		s.Records, in, members = s.known(in, members, problems)
	}
	s.Templates, err = readLines(beside, templatesFile)
	return s, err
}

// known leaves out the records whose number is beyond the list of classes.
func (s *Source) known(in []shard, members []member, problems *Problems) ([]Record, []shard, []member) {
	n := 0
	for i, r := range s.Records {
		if k, _ := strconv.Atoi(r.Class); k >= len(s.Names) {
			problems.Add(BadRow, r.ID, fmt.Sprintf("class %s, but %s names %d classes", r.Class, classNamesFile, len(s.Names)))
			continue
		}
		s.Records[n], in[n], members[n] = r, in[i], members[i]
		n++
	}
	return s.Records[:n], in[:n], members[:n]
}

// readLines reads a text file from the first folder that has it; nil without.
func readLines(folders []string, name string) ([]string, error) {
	for _, folder := range folders {
		path := filepath.Join(folder, name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines := strings.Split(strings.TrimRight(strings.TrimPrefix(string(text), "\ufeff"), "\r\n \t"), "\n")
		for i := range lines {
			if lines[i] = strings.TrimSpace(lines[i]); lines[i] == "" {
				return nil, fmt.Errorf("%s: line %d is empty", displayName(path), i+1)
			}
		}
		return lines, nil
	}
	return nil, nil
}
