package download

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iimmkit/iimm/datasets"
	"github.com/iimmkit/iimm/datasets/parquet"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/huggingface/hubtest"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func TestMain(m *testing.M) {
	fetch.Default.Wait = time.Millisecond
	os.Exit(m.Run())
}

var digits = strings.Split("0123456789", "")

const commit = "0123456789abcdef0123456789abcdef01234567"

// ppm is a picture that nothing compresses.
func ppm(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 9))
	b := []byte("P6 20 20 255\n")
	for range 20 * 20 * 3 {
		b = append(b, byte(rng.Uint32()))
	}
	return b
}

// table writes n pictures of the classes in turn, from picture first on.
func table(t testing.TB, names []string, first, n int) []byte {
	var rows []parquet.Row
	for i := first; i < first+n; i++ {
		rows = append(rows, parquet.Row{Image: ppm(uint64(i)), Path: fmt.Sprintf("%d.ppm", i), Label: strconv.Itoa(i % len(names))})
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, names); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serveMNIST starts a hub with the table of MNIST, and what is not to be taken.
func serveMNIST(t *testing.T) (*hubtest.Server, *hubtest.Repository) {
	s := hubtest.New(t)
	r := &hubtest.Repository{Commit: commit, Files: map[string][]byte{
		"mnist/train-00000-of-00002.parquet": table(t, digits, 0, 1500), "mnist/train-00001-of-00002.parquet": table(t, digits, 1500, 500),
		"mnist/test-00000-of-00001.parquet": table(t, digits, 5000, 40), "mnist/validation-00000-of-00001.parquet": table(t, digits, 6000, 10),
		"mnist/contrast-00000-of-00001.parquet": table(t, digits, 7000, 10), "other/train-00000-of-00001.parquet": table(t, digits, 8000, 10), "README.md": []byte("read"),
	}}
	s.Repositories["datasets/ylecun/mnist"] = r
	return s, r
}

func fetched(t *testing.T, name string, opts Options) *Fetched {
	t.Helper()
	f, err := Fetch(t.Context(), name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func data(t *testing.T, elem ...string) string {
	t.Helper()
	dir, err := datasets.DataDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

func TestATableOfTheHubIsFetchedAndRead(t *testing.T) {
	s, r := serveMNIST(t)
	s.Token = "hf_secret"
	t.Setenv("HF_TOKEN", s.Token)
	var plan Plan
	f := fetched(t, "paper/mnist", Options{Agree: func(p Plan) error { plan = p; return nil }})
	want := int64(0)
	for name, b := range r.Files {
		if strings.HasPrefix(name, "mnist/t") {
			want += int64(len(b))
		}
	}
	if plan.Bytes != want || !plan.Sizes || plan.Files != 3 || plan.From != Hub || plan.LicenceShown || plan.Unpinned != 0 || f.Downloaded != want {
		t.Errorf("plan %+v, fetched %+v, want %d bytes", plan, f, want)
	}
	if len(f.Recorded) != 1 || f.Recorded[0] != "hub:ylecun/mnist@main" || f.Receipt.Files != 3 || f.Receipt.Bytes != want || f.Receipt.Sources[0].Commit != commit {
		t.Errorf("%+v", f)
	}
	// The true table has more.
	if want := "2000 pictures for training and 40 for testing, instead of 60000 and 10000"; f.Receipt.OtherSplits != want {
		t.Errorf("%q", f.Receipt.OtherSplits)
	}
	if leaked := s.Leaked(); leaked != nil {
		t.Errorf("the storage host was told %q", leaked)
	}
	task, err := datasets.Load("paper/mnist", datasets.LoadOptions{})
	if err != nil || task.Train.Len()+task.Val.Len() != 2000 || task.Test.Len() != 40 || task.Captions[7] != `a photo of the number: "7"` {
		t.Fatalf("%+v, %v", task, err)
	}
	if p, err := task.Test.Image(3); err != nil || p.Width != 20 {
		t.Error(err)
	}
	// What is there needs no network.
	s.Requests()
	again := fetched(t, "mnist@published", Options{Agree: func(Plan) error { return errors.New("asked") }})
	if again.Downloaded != 0 || len(again.Recorded) != 0 || again.Receipt.Listing != f.Receipt.Listing || len(s.Requests()) != 0 {
		t.Errorf("again: %+v", again)
	}
	t.Setenv("IIMM_OFFLINE", "1")
	fetched(t, "mnist", Options{})
	if _, err := Fetch(t.Context(), "svhn", Options{}); !errors.Is(err, fetch.ErrOffline) {
		t.Errorf("offline: %v", err)
	}
}

func TestTheFirstFetchIsWhatLaterOnesMustBe(t *testing.T) {
	s, r := serveMNIST(t)
	fetched(t, "mnist", Options{})
	os.RemoveAll(data(t))
	file := r.Files["mnist/test-00000-of-00001.parquet"]
	s.Misbehave(hubtest.Replace(file, table(t, digits, 1, 40)))
	_, err := Fetch(t.Context(), "mnist", Options{})
	if err == nil || !strings.Contains(err.Error(), "wrong bytes") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(data(t, "hub", "mnist")); err == nil {
		t.Error("a set with a wrong file took its place")
	}
	s.Misbehave(hubtest.Replace(file, file))
	var plan Plan
	if f := fetched(t, "mnist", Options{Agree: func(p Plan) error { plan = p; return nil }}); len(f.Recorded) != 0 || !plan.LicenceShown {
		t.Errorf("%+v", f)
	}
	// The branch moved on: what is fetched anew is what it was.
	os.RemoveAll(data(t))
	r.Commit = strings.Repeat("b", 40)
	if _, err := Fetch(t.Context(), "mnist", Options{}); err == nil || !strings.Contains(err.Error(), "no revision") {
		t.Errorf("a commit that is not the recorded one: %v", err)
	}
}

func TestInterruptionsAreGoneOnFrom(t *testing.T) {
	s, _ := serveMNIST(t)
	s.Misbehave(hubtest.Breaks(2))
	// Stopped while the second file comes.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s.Misbehave(hubtest.Breaks(2))
	notes := 0
	_, err := Fetch(ctx, "mnist", Options{Note: func(string) {
		if notes++; notes == 2 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v after %d notes", err, notes)
	}
	if _, err := os.Stat(data(t, "hub", "mnist")); err == nil {
		t.Error("a set that is not whole took its place")
	}
	before := len(s.Ranges())
	fetched(t, "mnist", Options{})
	if r := s.Ranges()[before:]; !slices.ContainsFunc(r, func(h string) bool { return h != "" }) {
		t.Errorf("started anew: %q", r)
	}
	if entries, err := os.ReadDir(data(t, "fetched")); err != nil || len(entries) != 2 { // receipt and lock
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestATableOfOtherClassesIsRefused(t *testing.T) {
	s, r := serveMNIST(t)
	for name := range r.Files {
		r.Files[name] = table(t, strings.Fields("a b c d e f g h i j"), 0, 30)
	}
	if _, err := Fetch(t.Context(), "mnist", Options{}); err == nil || !strings.Contains(err.Error(), "not the ten digits") {
		t.Errorf("%v", err)
	}
	s.Repositories["datasets/timm/resisc45"] = &hubtest.Repository{Commit: commit, Files: map[string][]byte{
		"data/train-0.parquet": table(t, digits, 0, 30), "data/test-0.parquet": table(t, digits, 0, 30)}}
	if _, err := Fetch(t.Context(), "resisc45", Options{}); err == nil || !strings.Contains(err.Error(), "names 10 classes, the set has 45") {
		t.Errorf("%v", err)
	}
	delete(s.Repositories["datasets/timm/resisc45"].Files, "data/test-0.parquet")
	os.RemoveAll(filepath.Dir(data(t)))
	if _, err := Fetch(t.Context(), "resisc45", Options{}); err == nil || !strings.Contains(err.Error(), "both splits") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(data(t, "hub")); err == nil {
		t.Error("a refused set took its place")
	}
}

func TestAgreementComesBeforeAnyByte(t *testing.T) {
	s, _ := serveMNIST(t)
	no := errors.New("no")
	if _, err := Fetch(t.Context(), "mnist", Options{Agree: func(Plan) error { return no }}); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	if s.Sent() != 0 {
		t.Error("something was fetched")
	}
	if l, err := readLock(); err != nil || len(l.Licences) != 0 || len(l.Sources) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

// host serves plain files, of which the next answers may be cut off.
type host struct {
	mu     sync.Mutex
	files  map[string][]byte
	breaks int
	asked  []string
	noHead bool
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Range"))
	file, ok := h.files[strings.TrimPrefix(r.URL.Path, "/")]
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead && h.noHead:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.Method == http.MethodGet && h.breaks > 0:
		h.breaks--
		w.Header().Set("Content-Length", strconv.Itoa(len(file)))
		w.Write(file[:len(file)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	}
}

func zipped(t testing.TB, files map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(files[name])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, files map[string][]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		w.Write(files[name])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sum(data []byte) string {
	s := md5.Sum(data)
	return hex.EncodeToString(s[:])
}

// makersFiles are what the makers of some sets give away, by their names there.
func makersFiles(t testing.TB) map[string][]byte {
	dtd := map[string][]byte{}
	var lists [2]string
	for i := range 24 {
		name := fmt.Sprintf("%s/x_%02d.jpg", []string{"banded", "polka_dotted"}[i%2], i)
		dtd["dtd/images/"+name] = ppm(uint64(i))
		lists[i/20] += name + "\n"
	}
	dtd["dtd/labels/train1.txt"], dtd["dtd/labels/test1.txt"] = []byte(lists[0]), []byte(lists[1])
	training, test := map[string][]byte{}, map[string][]byte{}
	for class := range 43 {
		for frame := range 4 {
			training[fmt.Sprintf("GTSRB/Training/%05d/%05d_%05d.ppm", class, frame/2, frame)] = ppm(uint64(class))
		}
	}
	test["GTSRB/Final_Test/Images/00000.ppm"] = ppm(1)
	euro := map[string][]byte{}
	for _, c := range strings.Fields("AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake") {
		for i := range 10 {
			euro[fmt.Sprintf("2750/%s/%s_%d.jpg", c, c, i)] = ppm(uint64(i))
		}
	}
	idx := func(kind byte, shape ...byte) []byte {
		b := []byte{0, 0, 8, kind}
		n := 1
		for _, s := range shape {
			b = append(b, 0, 0, 0, s)
			n *= int(s)
		}
		for i := range n {
			b = append(b, byte(i%10))
		}
		return gzipped(t, b)
	}
	return map[string][]byte{
		"dtd-r1.0.1.tar.gz": gzipped(t, tarred(t, dtd)), "GTSRB-Training_fixed.zip": zipped(t, training), "GTSRB_Final_Test_Images.zip": zipped(t, test),
		"GTSRB_Final_Test_GT.zip":    zipped(t, map[string][]byte{"GT-final_test.csv": []byte("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000.ppm;1;1;1;1;1;1;16\n")}),
		"EuroSAT.zip":                zipped(t, euro),
		"train-images-idx3-ubyte.gz": idx(3, 100, 2, 2), "train-labels-idx1-ubyte.gz": idx(1, 100), "t10k-images-idx3-ubyte.gz": idx(3, 10, 2, 2), "t10k-labels-idx1-ubyte.gz": idx(1, 10),
	}
}

// serveMakers starts a host of the makers' files and makes it, and their true
// checksums, the origins' for the time of the test.
func serveMakers(t *testing.T) (*host, *hubtest.Server) {
	hub := hubtest.New(t)
	h := &host{files: makersFiles(t)}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	before := origins
	t.Cleanup(func() { origins = before })
	origins = slices.Clone(before)
	for i := range origins {
		origins[i].Files = slices.Clone(origins[i].Files)
		for k := range origins[i].Files {
			f := &origins[i].Files[k]
			name := f.Address[strings.LastIndexByte(f.Address, '/')+1:]
			if data, ok := h.files[name]; ok && f.MD5 != "" {
				f.MD5 = sum(data)
			}
			if _, _, onHub := f.onHub(); !onHub {
				f.Address = server.URL + "/" + name
			}
		}
	}
	hub.Repositories["datasets/torchgeo/eurosat"] = &hubtest.Repository{Commit: "c877bcd43f099cd0196738f714544e355477f3fd", Files: map[string][]byte{"EuroSAT.zip": h.files["EuroSAT.zip"]}}
	return h, hub
}

func TestTheMakersFormsAreUnpackedAndRead(t *testing.T) {
	h, hub := serveMakers(t)
	h.breaks = 2
	for name, want := range map[string]string{"dtd": "18/2/4", "gtsrb": "155/17/1", "eurosat": "81/9/10", "mnist": "90/10/10"} {
		from := Any
		if name == "mnist" {
			from = Makers
		}
		dir := t.TempDir()
		f := fetched(t, name, Options{Dir: dir, From: from})
		task, err := datasets.Load("paper/"+name, datasets.LoadOptions{RealDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d/%d/%d", task.Train.Len(), task.Val.Len(), task.Test.Len()); name != "gtsrb" && got != want {
			t.Errorf("%s: %s pictures, want %s", name, got, want)
		}
		if name == "gtsrb" && task.Train.Len()+task.Val.Len() != 172 {
			t.Errorf("gtsrb: %d and %d pictures", task.Train.Len(), task.Val.Len())
		}
		for _, s := range f.Receipt.Sources {
			if data := h.files[s.Address[strings.LastIndexByte(s.Address, '/')+1:]]; s.SHA256 != hubtest.SHA256(data) || s.Size != int64(len(data)) {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if entries, _ := os.ReadDir(filepath.Join(dir, "fetched")); len(entries) != 2 {
			t.Errorf("%s: left behind: %v", name, entries)
		}
		// Whole, it needs no network, and is fetched again where a file is gone.
		h.asked = nil
		hub.Requests()
		fetched(t, name, Options{Dir: dir, From: from})
		if len(h.asked)+len(hub.Requests()) > 0 {
			t.Errorf("%s: asked for what is there: %q", name, h.asked)
		}
	}
}

func TestAPublishedChecksumIsHeldTo(t *testing.T) {
	h, hub := serveMakers(t)
	good := h.files["dtd-r1.0.1.tar.gz"]
	h.files["dtd-r1.0.1.tar.gz"] = gzipped(t, tarred(t, map[string][]byte{"dtd/x": []byte("y")}))
	if _, err := Fetch(t.Context(), "dtd", Options{}); err == nil || !strings.Contains(err.Error(), "wrong bytes: md5") {
		t.Errorf("%v", err)
	}
	h.files["dtd-r1.0.1.tar.gz"] = good
	// A hub's listing is not enough where somebody else published a checksum.
	hub.Repositories["datasets/torchgeo/eurosat"].Files["EuroSAT.zip"] = zipped(t, map[string][]byte{"2750/River/a.jpg": ppm(1)})
	if _, err := Fetch(t.Context(), "eurosat", Options{}); err == nil || !strings.Contains(err.Error(), "wrong bytes: md5") {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(data(t)); len(entries) != 1 { // fetched/
		t.Errorf("something took its place: %v", entries)
	}
}

func TestWhatNobodyPublishedIsRecordedAndHeldTo(t *testing.T) {
	h, _ := serveMakers(t)
	i := slices.IndexFunc(origins, func(o Origin) bool { return o.Set == "dtd" })
	origins[i].Files[0].MD5 = ""
	h.noHead = true
	var plan Plan
	f := fetched(t, "dtd", Options{Agree: func(p Plan) error { plan = p; return nil }})
	if plan.Unpinned != 1 || plan.Sizes || plan.Bytes != 0 || len(f.Recorded) != 1 {
		t.Errorf("%+v, %+v", plan, f)
	}
	l, err := readLock()
	if p := l.Sources[origins[i].Files[0].Address]; err != nil || p.Files["dtd-r1.0.1.tar.gz"].SHA256 != hubtest.SHA256(h.files["dtd-r1.0.1.tar.gz"]) {
		t.Errorf("%+v, %v", l, err)
	}
	os.RemoveAll(data(t))
	h.files["dtd-r1.0.1.tar.gz"] = append(h.files["dtd-r1.0.1.tar.gz"], 0)
	if _, err := Fetch(t.Context(), "dtd", Options{}); err == nil || !strings.Contains(err.Error(), "wrong bytes: sha256") {
		t.Errorf("other bytes: %v", err)
	}
}

func TestWhatIsDamagedIsFetchedAgainAndPutAside(t *testing.T) {
	serveMakers(t)
	fetched(t, "dtd", Options{})
	gone := data(t, "dtd", "dtd", "images", "banded", "x_00.jpg")
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	own := data(t, "dtd", "notes.txt")
	if err := os.WriteFile(own, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	var notes []string
	f := fetched(t, "dtd", Options{Note: func(n string) { notes = append(notes, n) }})
	if _, err := os.Stat(gone); err != nil || f.Downloaded == 0 || len(notes) != 2 {
		t.Errorf("%v, %+v, %q", err, f, notes)
	}
	if aside, _ := filepath.Glob(data(t, "dtd.before-*", "notes.txt")); len(aside) != 1 {
		t.Errorf("put aside: %q", aside)
	}
}

func TestADamagedTableDoesNotHideTheMakersFiles(t *testing.T) {
	_, hub := serveMakers(t)
	hub.Repositories["datasets/ylecun/mnist"] = &hubtest.Repository{Commit: commit, Files: map[string][]byte{
		"mnist/train-0.parquet": table(t, digits, 0, 50), "mnist/test-0.parquet": table(t, digits, 50, 20)}}
	fetched(t, "mnist", Options{})
	if err := os.Remove(data(t, "hub", "mnist", "test-0.parquet")); err != nil {
		t.Fatal(err)
	}
	fetched(t, "mnist", Options{From: Makers})
	task, err := datasets.Load("paper/mnist", datasets.LoadOptions{})
	if err != nil || task.Test.Len() != 10 || task.Train.Len() != 90 {
		t.Errorf("%v", err)
	}
}

func TestTheUsersOwnFilesAreKept(t *testing.T) {
	h, _ := serveMakers(t)
	dir := t.TempDir()
	fetched(t, "dtd", Options{Dir: dir})
	os.RemoveAll(filepath.Join(dir, "fetched"))
	h.asked = nil
	if f := fetched(t, "dtd", Options{Dir: dir}); len(h.asked) != 0 || f.Receipt.From != Any || f.Downloaded != 0 {
		t.Errorf("%q, %+v", h.asked, f)
	}
	if err := os.Remove(filepath.Join(dir, "dtd", "dtd", "labels", "test1.txt")); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(dir, "fetched"))
	if _, err := Fetch(t.Context(), "dtd", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "test1.txt is not there): move it away first") || len(h.asked) != 0 {
		t.Errorf("files that cannot be read: %v", err)
	}
}

func TestOneFetchAtATime(t *testing.T) {
	serveMNIST(t)
	unlock, err := store.Lock(datasets.ReceiptPath(data(t), "mnist") + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Fetch(t.Context(), "mnist", Options{}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	hubtest.New(t)
	for _, c := range []struct {
		set  string
		from From
		want string
	}{
		{"imagenet", Any, "has to be downloaded by hand"}, {"imagenet-sketch", Any, "sketch/WNID"}, {"dtd", Hub, "no table"}, {"svhn", Makers, "cannot be fetched"},
		{"pets", Any, "not a data set of the paper"}, {"svhn", Any, "ufldl-stanford/svhn does not exist, or is private"},
	} {
		if _, err := Fetch(t.Context(), c.set, Options{From: c.from}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.set, err)
		}
	}
	if _, err := ParseFrom("mirror"); err == nil {
		t.Error("a way that is none was accepted")
	}
}

func TestEverySetOfThePaperHasAnOrigin(t *testing.T) {
	var names []string
	for _, p := range datasets.PaperSets() {
		names = append(names, p.Name)
		o, err := Find(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if (o.Table != nil) != (p.Classes > 0) {
			t.Errorf("%s: a table and the number of its classes belong together", p.Name)
		}
		if o.Table == nil && o.Files == nil && o.ByHand == "" || o.Licence == "" || o.Page == "" || o.Files != nil && o.folder == "" {
			t.Errorf("%s: %+v", p.Name, o)
		}
		for _, f := range o.Files {
			if _, _, onHub := f.onHub(); !onHub && !strings.HasPrefix(f.Address, "https://") || f.MD5 != "" && len(f.MD5) != 32 {
				t.Errorf("%s: %+v", p.Name, f)
			}
			// It comes to lie in the folder that is then moved.
			if f.into != "" && f.into != o.folder && !strings.HasPrefix(f.into, o.folder+"/") {
				t.Errorf("%s: %s is not in %s", p.Name, f.into, o.folder)
			}
		}
	}
	var found []string
	for _, o := range Origins() {
		found = append(found, o.Set)
	}
	if !slices.Equal(names, found) {
		t.Errorf("origins %q for sets %q", found, names)
	}
}

func TestASampleNeedsLittleOfTheTable(t *testing.T) {
	s, r := serveMNIST(t)
	s.Sent()
	got, err := Sample(t.Context(), "mnist", SampleOptions{Images: 60})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(len(r.Files["mnist/train-00000-of-00002.parquet"]) + len(r.Files["mnist/train-00001-of-00002.parquet"]))
	sent := s.Sent()
	if got.Total != total || got.Sample.Images != 60 || got.Sample.LeastOfClass != 6 || got.Sample.MostOfClass != 6 || got.Sample.Of != 2000 || got.Commit != commit {
		t.Errorf("%+v of %d bytes, %+v", got, total, got.Sample)
	}
	// Opening a file asks for its first byte.
	if sent > total/4 || sent != got.Downloaded+2 {
		t.Errorf("%d of %d bytes were sent, %d told", sent, total, got.Downloaded)
	}
	if slices.Contains(s.Ranges(), "") {
		t.Errorf("a whole file was asked for: %q", s.Ranges())
	}
	task, problems, err := datasets.Open(got.Path, datasets.FolderOptions{})
	if err != nil || problems.Len() > 0 || task.Train.Len() != 60 || len(task.ClassNames) != 10 {
		t.Fatalf("%v, %v", err, problems.List())
	}
	for i := range task.Train.Len() {
		n, err := strconv.Atoi(strings.TrimSuffix(task.Train.ID(i), ".ppm"))
		if err != nil || n >= 2000 || task.Train.Label(i) != n%10 {
			t.Errorf("picture %s of class %d: %v", task.Train.ID(i), task.Train.Label(i), err)
		}
	}
	t.Setenv("IIMM_OFFLINE", "1")
	again, err := Sample(t.Context(), "mnist", SampleOptions{Images: 60})
	if err != nil || again.SHA256 != got.SHA256 || again.Downloaded != 0 || again.Path != got.Path {
		t.Errorf("offline: %+v, %v", again, err)
	}
	if _, err := Sample(t.Context(), "mnist", SampleOptions{Images: 60, Seed: 1}); !errors.Is(err, fetch.ErrOffline) {
		t.Errorf("another sample, offline: %v", err)
	}
	for set, want := range map[string]string{"stl10": "a sample cannot be had", "imagenet": "by hand"} {
		if _, err := Sample(t.Context(), set, SampleOptions{Images: 60}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

func TestATableInFoldersOfSplitsAndMixedClassesIsRead(t *testing.T) {
	s := hubtest.New(t)
	names := make([]string, 196)
	for i := range names {
		names[i] = fmt.Sprintf("Ram C/V_%d", i)
	}
	s.Repositories["datasets/tanganke/stanford_cars"] = &hubtest.Repository{Commit: commit, Files: map[string][]byte{
		"default/train/0000.parquet": table(t, names, 0, 400), "default/test/0000.parquet": table(t, names, 400, 200), "default/contrast/0000.parquet": table(t, names, 0, 10)}}
	i := slices.IndexFunc(origins, func(o Origin) bool { return o.Set == "cars" })
	before := origins
	t.Cleanup(func() { origins = before })
	origins = slices.Clone(origins)
	origins[i].Table = &Table{"tanganke/stanford_cars", "", 400, 200}
	f := fetched(t, "cars", Options{})
	task, err := datasets.Load("paper/cars", datasets.LoadOptions{})
	if err != nil || task.Test.Len() != 200 || task.ClassNames[7] != "Ram C/V_7" || f.Receipt.OtherSplits != "" {
		t.Fatalf("%+v, %v", f.Receipt, err)
	}
}
