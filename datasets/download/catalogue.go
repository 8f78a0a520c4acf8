// Package download fetches the data sets of the paper: from the Hugging Face hub
// as parquet files, or from their makers' hosts where their form or licence asks
// for it, into the layout that paper/NAME is read from. Nothing is fetched
// unasked. What nobody published a checksum of is recorded at its first fetch in
// a lock file, and held to afterwards.
package download

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/file/huggingface"
)

// ErrName is wrapped by errors about a name that is no set of the paper.
var ErrName = errors.New("not a data set of the paper")

// ErrByHand is wrapped by errors about a set that nobody may fetch for the user.
var ErrByHand = errors.New("has to be downloaded by hand")

// Origin is where a set of the paper comes from.
type Origin struct {
	Set     string // as in paper/NAME
	Page    string // of its makers
	Licence string // in short, as its makers state it
	// Table is the set as parquet files of the hub, with the official splits.
	Table *Table
	// Files are what its makers give away.
	Files []File
	// Samples is a table to take samples from, of a set whose splits the table
	// does not keep.
	Samples *Table
	ByHand  string // what the user does, where neither is to be had
	folder  string // below the data folder, which Files fill
}

// Table is a folder of parquet files in a repository of the hub.
type Table struct {
	Repository string // OWNER/REPO
	folder     string // that the files lie in, "" for any
	// train and test are the sizes of the official splits, where the table is to
	// have them.
	train, test int
}

// File is a file that is unpacked, or laid down as it is.
type File struct {
	Address string // https, or hub:OWNER/REPO/PATH
	Commit  string // of the repository; "" for the one that its branch main has
	MD5     string // as published; "" where nobody did
	Bytes   int64  // as published, 0 where the server is asked
	into    string // folder below the data folder
	without string // a file in the archive that nobody reads
	plain   bool   // no archive: the readers take it as it is
}

const unknown = "not known to this program, see the page"

// origins: addresses and checksums are those of torchvision's data sets, for
// EuroSAT of torchgeo's copy that torchvision takes, for ImageNet R and A of
// torch-uncertainty (all compared with the packages that PyPI had in November
// 2026), for fMoW of WILDS. Plain http, which SVHN's makers ask for,
// is not fetched.
var origins = []Origin{
	{Set: "cars", Page: "https://ai.stanford.edu/~jkrause/cars/car_dataset.html", Licence: unknown,
		Table: &Table{"tanganke/stanford_cars", "", 8144, 8041}},
	{Set: "cifar100", Page: "https://www.cs.toronto.edu/~kriz/cifar.html", Licence: unknown,
		Table: &Table{"uoft-cs/cifar100", "cifar100", 50000, 10000}, folder: "cifar-100-python",
		Files: []File{{Address: "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", MD5: "eb9058c3a382ffc7106e4002c42a8d85"}}},
	{Set: "dtd", Page: "https://www.robots.ox.ac.uk/~vgg/data/dtd/", Licence: "for research", Samples: &Table{"tanganke/dtd", "", 0, 0}, folder: "dtd",
		Files: []File{{Address: "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz", MD5: "fff73e5086ae6bdbea199a49dfb8a4c1", into: "dtd"}}},
	{Set: "eurosat", Page: "https://github.com/phelber/EuroSAT", Licence: "MIT", Samples: &Table{"tanganke/eurosat", "", 0, 0}, folder: "eurosat",
		Files: []File{{Address: "hub:torchgeo/eurosat/EuroSAT.zip", Commit: "c877bcd43f099cd0196738f714544e355477f3fd", MD5: "c8fa014336c82ac7804f0398fcb19387", into: "eurosat"}}},
	{Set: "gtsrb", Page: "https://benchmark.ini.rub.de/gtsrb_news.html", Licence: unknown, Samples: &Table{"tanganke/gtsrb", "", 0, 0}, folder: "gtsrb",
		Files: []File{
			{Address: gtsrb + "GTSRB-Training_fixed.zip", MD5: "513f3c79a4c5141765e10e952eaa2478", into: "gtsrb"},
			{Address: gtsrb + "GTSRB_Final_Test_Images.zip", MD5: "c7e4e6327067d32654124b0fe9e82185", into: "gtsrb"},
			{Address: gtsrb + "GTSRB_Final_Test_GT.zip", MD5: "fe31e9c9270bbcd7b84b7f21a9d9d9e5", into: "gtsrb"},
		}},
	{Set: "mnist", Page: "http://yann.lecun.com/exdb/mnist/", Licence: unknown, Table: &Table{"ylecun/mnist", "mnist", 60000, 10000}, folder: "MNIST",
		Files: []File{
			{Address: mnist + "train-images-idx3-ubyte.gz", MD5: "f68b3c2dcbeaaa9fbdd348bbdeb94873", into: "MNIST/raw", plain: true},
			{Address: mnist + "train-labels-idx1-ubyte.gz", MD5: "d53e105ee54ea40749a09fcbcd1e9432", into: "MNIST/raw", plain: true},
			{Address: mnist + "t10k-images-idx3-ubyte.gz", MD5: "9fb629c4189551a2d022fa330f9573f3", into: "MNIST/raw", plain: true},
			{Address: mnist + "t10k-labels-idx1-ubyte.gz", MD5: "ec29112dd5afa0611ce80d1b7f02629c", into: "MNIST/raw", plain: true},
		}},
	{Set: "resisc45", Page: "https://gcheng-nwpu.github.io/", Licence: unknown, Table: &Table{"timm/resisc45", "", 18900, 6300}},
	{Set: "stl10", Page: "https://cs.stanford.edu/~acoates/stl10/", Licence: unknown, folder: "stl10_binary",
		Files: []File{{Address: "https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", MD5: "91f7769df0f17e558f3565bffb0c7dfb", without: "unlabeled_X.bin"}}},
	{Set: "sun397", Page: "https://vision.princeton.edu/projects/2010/SUN/", Licence: unknown, Table: &Table{"tanganke/sun397", "", 19850, 19850}},
	{Set: "svhn", Page: "http://ufldl.stanford.edu/housenumbers/", Licence: "not for commerce", Table: &Table{"ufldl-stanford/svhn", "cropped_digits", 73257, 26032}},
	{Set: "imagenet", Page: "https://image-net.org/download.php", Licence: "for research and education, not for commerce",
		ByHand: "ask for an account at https://image-net.org/download.php, download ILSVRC2012_img_val.tar and sort its pictures so that imagenet/val/WNID holds those of a class"},
	{Set: "imagenet-v2", Page: "https://github.com/modestyachts/ImageNetV2", Licence: "MIT", folder: "imagenetv2-matched-frequency-format-val",
		Files: []File{{Address: "hub:vaishaal/ImageNetV2/imagenetv2-matched-frequency.tar.gz"}}},
	{Set: "imagenet-sketch", Page: "https://github.com/HaohanWang/ImageNet-Sketch", Licence: "MIT",
		ByHand: "follow the link to the pictures at https://github.com/HaohanWang/ImageNet-Sketch and unpack them so that sketch/WNID holds those of a class"},
	{Set: "imagenet-r", Page: "https://github.com/hendrycks/imagenet-r", Licence: "MIT", folder: "imagenet-r",
		Files: []File{{Address: "https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar", MD5: "a61312130a589d0ca1a8fca1f2bd3337"}}},
	{Set: "imagenet-a", Page: "https://github.com/hendrycks/natural-adv-examples", Licence: "MIT", folder: "imagenet-a",
		Files: []File{{Address: "https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar", MD5: "c3e55429088dc681f30d81f4726b6595"}}},
	{Set: "fmow", Page: "https://github.com/fMoW/dataset", Licence: "FMoW Challenge Public License", folder: "fmow_v1.1",
		Files: []File{{Address: "https://worksheets.codalab.org/rest/bundles/0xaec91eb7c9d548ebb15e1b5e60f966ab/contents/blob/", Bytes: 53_893_324_800, into: "fmow_v1.1"}}},
}

const (
	gtsrb = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
	mnist = "https://ossci-datasets.s3.amazonaws.com/mnist/"
)

// Origins lists where the paper's sets come from, in the order of
// datasets.PaperSets.
func Origins() []Origin { return slices.Clone(origins) }

// Find returns the origin of a set by its name, with or without paper/ before
// and a split behind it.
func Find(name string) (Origin, error) {
	short := strings.TrimPrefix(name, "paper/")
	short, _, _ = strings.Cut(short, "@")
	at := slices.IndexFunc(origins, func(o Origin) bool { return o.Set == short })
	if at < 0 {
		var names []string
		for _, o := range origins {
			names = append(names, o.Set)
		}
		return Origin{}, fmt.Errorf("%q is %w: give one of %s", name, ErrName, strings.Join(names, ", "))
	}
	return origins[at], nil
}

// From says which of the ways to a set are meant.
type From string

const (
	Any    From = ""       // the hub's table, else the makers' files
	Hub    From = "hub"    // the hub's table
	Makers From = "makers" // the makers' files
)

// ParseFrom reads hub, makers or nothing.
func ParseFrom(s string) (From, error) {
	switch f := From(s); f {
	case Any, Hub, Makers:
		return f, nil
	}
	return "", fmt.Errorf("%q is neither hub nor makers", s)
}

// choose returns the table or, as nil, the makers' files.
func (o Origin) choose(from From) (*Table, error) {
	switch {
	case o.ByHand != "":
		return nil, fmt.Errorf("data set %s %w: %s, then give the folder above with --real (licence: %s)", o.Set, ErrByHand, o.ByHand, o.Licence)
	case from == Hub && o.Table == nil:
		return nil, fmt.Errorf("data set %s: the hub has no table with its official splits that is known; leave out --from hub", o.Set)
	case from == Makers && o.Files == nil:
		return nil, fmt.Errorf("data set %s: its makers' files cannot be fetched over https; leave out --from makers", o.Set)
	case o.Table != nil && from != Makers:
		return o.Table, nil
	}
	return nil, nil
}

func (t *Table) repository() huggingface.Repository {
	return huggingface.Repository{Name: t.Repository, Dataset: true}
}

// onHub splits hub:OWNER/REPO/PATH.
func (f File) onHub() (repo huggingface.Repository, path string, ok bool) {
	rest, ok := strings.CutPrefix(f.Address, "hub:")
	if !ok {
		return repo, "", false
	}
	part := strings.SplitN(rest, "/", 3)
	return huggingface.Repository{Name: part[0] + "/" + part[1], Dataset: true}, part[2], true
}
