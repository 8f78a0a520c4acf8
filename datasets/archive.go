package datasets

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// member is a file in an archive.
type member struct {
	name string // clean, with slashes
	size int64
	at   int64 // where the archive finds it
}

// cleanName brings an entry's name into the form a/b/c. What is wrong with a
// name that leads elsewhere is returned as reason.
func cleanName(name string) (clean, reason string) {
	if strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' {
		return "", "has an absolute path"
	}
	clean = path.Clean(name)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", "leads out of the archive's folder"
	}
	return clean, ""
}

// inDebris reports whether a part of a path is nobody's picture.
func inDebris(name string) bool { return slices.ContainsFunc(strings.Split(name, "/"), isDebris) }

// folderOf lays the members of an archive out as readImageFolder does the files
// of a folder, and returns the source with the members of its records. The one
// folder that many archives hold everything in is not counted. Folders are
// given for the sake of those that are empty.
func folderOf(source string, members []member, folders []string, open func(member) (io.ReadCloser, error), opt FolderOptions, problems *Problems) (*Source, error) {
	members = slices.DeleteFunc(members, func(m member) bool { return inDebris(m.name) })
	folders = slices.DeleteFunc(folders, inDebris)
	root := commonFolder(members)
	for i := range members {
		members[i].name = strings.TrimPrefix(members[i].name, root)
	}
	// A folder's files are read in byte order of names, folder by folder.
	byPath := func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
	}
	slices.SortStableFunc(members, func(a, b member) int { return byPath(a.name, b.name) })
	members = slices.CompactFunc(members, func(a, b member) bool {
		if a.name == b.name {
			problems.Add(DuplicateFile, a.name, "is in the archive twice")
		}
		return a.name == b.name
	})
	var tops []string
	for _, m := range members {
		if top, _, ok := strings.Cut(m.name, "/"); ok {
			tops = append(tops, top)
		}
	}
	for _, f := range folders {
		if inner, ok := strings.CutPrefix(f+"/", root); ok && inner != "" {
			top, _, _ := strings.Cut(inner, "/")
			tops = append(tops, top)
		}
	}
	slices.Sort(tops)
	tops = slices.Compact(tops)
	s := &Source{Path: source}
	var kept []member
	s.Picture = func(i int, options ...picture.Option) (*picture.RGB, error) {
		r, err := open(kept[i])
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return picture.Decode(r, options...)
	}
	lists := slices.DeleteFunc(slices.Clone(members), func(m member) bool { return !isList(m.name) || strings.Contains(m.name, "/") })
	if len(lists) == 1 {
		inList := new(Problems)
		rows, err := listIn(lists[0], open, opt, inList)
		if err == nil && (len(tops) == 0 || namesAll(rows, members)) {
			kept = s.follow(rows, members, problems)
			problems.list = append(inList.list, problems.list...)
			return s, nil
		}
		if err != nil && len(tops) == 0 {
			return nil, fmt.Errorf("%s: %s: %w", displayName(source), displayName(lists[0].name), err)
		}
	}
	if len(tops) == 0 {
		return nil, noClassFolders(source)
	}
	splits := splitFolders(tops)
	class := func(name string) (Record, bool) {
		parts := strings.Split(name, "/")
		r := Record{ID: name}
		if splits != nil {
			r.Split, parts = splits[parts[0]], parts[1:]
		}
		if len(parts) > 1 {
			r.Class = parts[0]
		}
		return r, len(parts) > 1
	}
	for _, m := range members {
		r, ok := class(m.name)
		r.Size = m.size
		switch {
		case ok:
			s.Classes = append(s.Classes, r.Class)
			s.Records, kept = append(s.Records, r), append(kept, m)
		case picture.HasExtension(m.name):
			problems.Add(OutsideClass, m.name, "a picture beside the class folders belongs to no class")
		}
	}
	for _, f := range folders {
		if inner, ok := strings.CutPrefix(f+"/", root); ok {
			if r, ok := class(inner); ok {
				s.Classes = append(s.Classes, r.Class)
			}
		}
	}
	slices.Sort(s.Classes)
	s.Classes = slices.Compact(s.Classes)
	return s, nil
}

// commonFolder is the folder, with a slash, that all members lie in, when it
// holds a list or no pictures but those in folders: then it is the folder that
// was packed, no class.
func commonFolder(members []member) string {
	if len(members) == 0 {
		return ""
	}
	root := ""
	for {
		top, _, ok := strings.Cut(members[0].name[len(root):], "/")
		if !ok || splitName(top) != "" {
			return root
		}
		deeper := root + top + "/"
		pictures, list := false, false
		for _, m := range members {
			inner, ok := strings.CutPrefix(m.name, deeper)
			if !ok {
				return root
			}
			if !strings.Contains(inner, "/") {
				pictures, list = pictures || picture.HasExtension(inner), list || isList(inner)
			}
		}
		if pictures && !list {
			return root
		}
		root = deeper
	}
}

func listIn(m member, open func(member) (io.ReadCloser, error), opt FolderOptions, problems *Problems) ([]listRow, error) {
	const most = 1 << 28
	r, err := open(m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, err
	}
	return parseList(m.name, data, opt.GroupColumn, problems)
}

// listedName is a list's path as members are called.
func listedName(p string) string { return path.Clean(strings.ReplaceAll(p, "\\", "/")) }

// namesAll reports whether a list has every picture, so that it and not the
// folders around them says what they are.
func namesAll(rows []listRow, members []member) bool {
	named := map[string]bool{}
	for _, r := range rows {
		named[listedName(r.path)] = true
	}
	return !slices.ContainsFunc(members, func(m member) bool { return picture.HasExtension(m.name) && !named[m.name] })
}

// follow makes records of a list's rows, and returns their members.
func (s *Source) follow(rows []listRow, members []member, problems *Problems) (kept []member) {
	at := make(map[string]int, len(members))
	for i, m := range members {
		at[m.name] = i
	}
	seen := map[int]int{}
	for _, r := range rows {
		s.Classes = append(s.Classes, r.label)
		i, ok := at[listedName(r.path)]
		if !ok {
			problems.Add(Unreadable, r.path, fmt.Sprintf("line %d: is not in the archive", r.line))
			continue
		}
		if first, ok := seen[i]; ok {
			problems.Add(DuplicateFile, r.path, fmt.Sprintf("is in line %d and again in line %d", first, r.line))
			continue
		}
		seen[i] = r.line
		kept = append(kept, members[i])
		s.Records = append(s.Records, Record{ID: r.path, Class: r.label, Split: r.split, Group: r.group, Size: members[i].size})
	}
	slices.Sort(s.Classes)
	s.Classes = slices.Compact(s.Classes)
	return kept
}

// readZip reads a zip file of an image folder. It stays open as long as its
// pictures are used.
func readZip(source string, opt FolderOptions, problems *Problems) (*Source, error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	s, err := parseZip(source, f, info.Size(), opt, problems)
	if err != nil {
		f.Close()
	}
	return s, err
}

func parseZip(source string, r io.ReaderAt, size int64, opt FolderOptions, problems *Problems) (*Source, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // such paths are told below
		return nil, fmt.Errorf("%s: not a zip file, or cut off: %w", displayName(source), err)
	}
	var members []member
	var folders []string
	for i, f := range z.File {
		name := f.Name
		if !strings.Contains(name, "/") { // some programs write Windows' separators
			name = strings.ReplaceAll(name, "\\", "/")
		}
		clean, reason := cleanName(name)
		switch mode := f.Mode(); {
		case reason != "":
			problems.Add(Outside, f.Name, reason)
		case strings.HasSuffix(name, "/"):
			folders = append(folders, clean)
		case inDebris(clean):
		case !mode.IsRegular():
			problems.Add(Unreadable, clean, "is a link or device; links in archives are not followed")
		case f.Flags&1 != 0:
			problems.Add(Unreadable, clean, "is encrypted")
		default:
			members = append(members, member{clean, int64(min(f.UncompressedSize64, 1<<62)), int64(i)})
		}
	}
	open := func(m member) (io.ReadCloser, error) {
		if m.size > picture.MaxBytes {
			return nil, fmt.Errorf("%w: %d bytes", picture.ErrTooLarge, m.size)
		}
		return z.File[m.at].Open()
	}
	return folderOf(source, members, folders, open, opt, problems)
}

// natural compares names with the numbers in them by value: 2.tar before 10.tar.
func natural(a, b string) int {
	digits := func(s string) int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		n, m := digits(a[i:]), digits(b[j:])
		if n == 0 || m == 0 {
			if a[i] != b[j] {
				return cmp.Compare(a[i], b[j])
			}
			i, j = i+1, j+1
			continue
		}
		x, y := strings.TrimLeft(a[i:i+n], "0"), strings.TrimLeft(b[j:j+m], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
		i, j = i+n, j+m
	}
	return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), strings.Compare(a, b))
}
