package token

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/iimmkit/iimm/iimmkit/file/reference"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/token/sentencepiece"
)

// row is a string of a fixture and what the reference makes of it.
type row struct {
	Text     string
	Clean    string  // open_clip's clean-up "lower"
	Encode   []int32 // open_clip's SimpleTokenizer
	Mojibake bool    `json:"mojibake_fix"`

	Canonical string  // open_clip's clean-up "canonicalize"
	IDs       []int32 // of Canonical, by SentencePiece
	RawIDs    []int32 `json:"raw_ids"` // of Text, by SentencePiece

	rows map[string][]int32 // "ids77_nopad", "hf_ids77_nopad", "ids16"
}

func (r *row) UnmarshalJSON(data []byte) error {
	type plain row
	if err := json.Unmarshal(data, (*plain)(r)); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	r.rows = map[string][]int32{}
	for name, value := range members {
		if _, ok := contextOf(name); ok {
			var ids []int32
			if err := json.Unmarshal(value, &ids); err != nil {
				return err
			}
			r.rows[name] = ids
		}
	}
	return nil
}

var rowName = regexp.MustCompile(`^(?:hf_)?ids(\d+)(?:_nopad)?$`)

// contextOf returns 77 for "ids77_nopad".
func contextOf(name string) (int, bool) {
	m := rowName.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// stringSets are the files of strings below tokens/, by name.
func stringSets(t testing.TB) (dir string, sets map[string][]row) {
	dir = reference.Fixtures(t, "tokens")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	sets = map[string][]row{}
	for _, f := range files {
		var set struct{ Rows []row }
		if err := json.Unmarshal(read(t, f), &set); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if len(set.Rows) > 0 {
			sets[strings.TrimSuffix(filepath.Base(f), ".json")] = set.Rows
		}
	}
	if len(sets) == 0 {
		t.Fatalf("no sets of strings in %s", dir)
	}
	// Only one of the sets tells which strings are mojibake.
	mojibake := map[string]bool{}
	for _, rows := range sets {
		for _, r := range rows {
			mojibake[r.Text] = mojibake[r.Text] || r.Mojibake
		}
	}
	for _, rows := range sets {
		for i := range rows {
			rows[i].Mojibake = mojibake[rows[i].Text]
		}
	}
	return dir, sets
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// folderOf is a checkpoint folder of files by name.
func folderOf(files map[string][]byte) fstest.MapFS {
	f := fstest.MapFS{}
	for name, data := range files {
		f[name] = &fstest.MapFile{Data: data}
	}
	return f
}

func open(t testing.TB, files map[string][]byte, o Options) *Tokenizer {
	t.Helper()
	tok, err := Open(folderOf(files), o)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// tally compares rows: all must agree but those whose mojibake ftfy decodes,
// which are counted.
type tally struct {
	t                     *testing.T
	equal, mojibake, mine int
}

func (c *tally) check(r row, got, want []int32, got0, want0 string) {
	c.t.Helper()
	same := slices.Equal(got, want) && got0 == want0
	switch {
	case same:
		c.equal++
	case r.Mojibake:
		c.t.Logf("mojibake %q: got %v %q, want %v %q", r.Text, got, got0, want, want0)
	default:
		c.t.Errorf("%q:\n got %v %q\nwant %v %q", r.Text, got, got0, want, want0)
	}
	if r.Mojibake {
		if c.mojibake++; same {
			c.mine++
		}
	}
}

func (c *tally) report() {
	c.t.Helper()
	c.t.Logf("%d comparisons equal; mojibake: %d of %d", c.equal, c.mine, c.mojibake)
}

func TestFixtureCLIPTokens(t *testing.T) {
	dir, sets := stringSets(t)
	for name, rows := range sets {
		if rows[0].Encode == nil {
			continue
		}
		vocab, merges := read(t, filepath.Join(dir, "hf_clip_tokenizer", "vocab.json")), read(t, filepath.Join(dir, "hf_clip_tokenizer", "merges.txt"))
		files := map[string][]byte{"vocab.json": vocab, "merges.txt": merges}
		t.Run(name+"/open_clip", func(t *testing.T) {
			checkSimple(t, files, Options{Family: "clip", Library: OpenCLIP}, rows)
		})
		t.Run(name+"/open_clip from OpenAI's file", func(t *testing.T) {
			data := read(t, reference.Data(t, "tokenizer", OpenAIFile))
			if !sameVocabulary(t, data, vocab) {
				t.Skipf("%s is of another vocabulary than the fixture", OpenAIFile)
			}
			checkSimple(t, map[string][]byte{OpenAIFile: data}, Options{Family: "coca", Library: OpenCLIP}, rows)
			checkSimple(t, nil, Options{Family: "eva02", Library: OpenCLIP, OpenAI: data}, rows)
		})
		t.Run(name+"/hf", func(t *testing.T) { checkHF(t, files, rows) })
		t.Run(name+"/tokenizer.json", func(t *testing.T) {
			data := read(t, reference.Data(t, "tokenizer", "clip-tokenizer.json"))
			p, err := parsePipeline(data)
			if err != nil {
				t.Fatal(err)
			}
			var ids map[string]int32
			if err := json.Unmarshal(vocab, &ids); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(p.vocabulary, ids) {
				t.Skip("clip-tokenizer.json is of another vocabulary than the fixture")
			}
			files := map[string][]byte{"tokenizer.json": data}
			checkHF(t, files, rows)
			checkSimple(t, files, Options{Family: "clip", Library: OpenCLIP}, rows)
		})
	}
}

// checkSimple compares open_clip's SimpleTokenizer.
func checkSimple(t *testing.T, files map[string][]byte, o Options, rows []row) {
	c := &tally{t: t}
	defer c.report()
	for _, r := range rows {
		for name, want := range r.rows {
			if strings.HasPrefix(name, "hf_") {
				continue
			}
			o.Context, _ = contextOf(name)
			tok := opened(t, files, o)
			c.check(r, tok.encode(r.Text), r.Encode, cleanLower.clean(r.Text), r.Clean)
			got := tok.Rows([]string{r.Text})
			c.check(r, toEnd(got, want), want, "", "")
			c.check(r, got, simpleRow(want[0], r.Encode, want[len(want)-1], o.Context), "", "")
		}
	}
}

// checkHF compares Hugging Face's CLIPTokenizer.
func checkHF(t *testing.T, files map[string][]byte, rows []row) {
	c := &tally{t: t}
	defer c.report()
	for _, r := range rows {
		for name, want := range r.rows {
			if strings.HasPrefix(name, "hf_") {
				continue
			}
			if other, differs := r.rows["hf_"+name]; differs {
				want = other
			}
			context, _ := contextOf(name)
			tok := opened(t, files, Options{Family: "clip", Library: HuggingFace, Context: context})
			r.Mojibake = false // which this one does not decode
			got := tok.Rows([]string{r.Text})
			c.check(r, toEnd(got, want), want, "", "")
			end := want[len(want)-1]
			if !strings.Contains(r.Text, hfCLIP.specials[1]) && slices.ContainsFunc(got[len(want):], func(id int32) bool { return id != end }) {
				t.Errorf("%q is not filled up with the end token: %v", r.Text, got)
			}
		}
	}
}

var openedTokenizers = map[string]*Tokenizer{}

// opened is open, once for the same test and options.
func opened(t *testing.T, files map[string][]byte, o Options) *Tokenizer {
	key := fmt.Sprint(t.Name(), o.Family, o.Library, o.Context)
	if openedTokenizers[key] == nil {
		openedTokenizers[key] = open(t, files, o)
	}
	return openedTokenizers[key]
}

// toEnd cuts a row behind its first end token, which is the last id of want: so
// the fixture's rows were cut, also where a caption spells an end token.
func toEnd(got, want []int32) []int32 {
	return got[:slices.Index(got, want[len(want)-1])+1]
}

// simpleRow is a row by the definition of open_clip.
func simpleRow(start int32, ids []int32, end int32, context int) []int32 {
	row := append([]int32{start}, ids...)
	row = append(row[:min(len(row), context-1)], end)
	return append(row, make([]int32, context-len(row))...)
}

// sameVocabulary compares OpenAI's file with a vocab.json, special tokens aside.
func sameVocabulary(t *testing.T, openai, vocab []byte) bool {
	v, err := readOpenAI(strings.NewReader(string(openai)))
	if err != nil {
		t.Fatal(err)
	}
	var ids map[string]int32
	if err := json.Unmarshal(vocab, &ids); err != nil {
		t.Fatal(err)
	}
	for _, words := range []clipWords{hfCLIP, openCLIP} {
		for _, w := range words.specials {
			delete(ids, w)
			delete(v.ids, w)
		}
	}
	return maps.Equal(v.ids, ids)
}

func TestFixtureSigLIPTokens(t *testing.T) {
	dir, sets := stringSets(t)
	for name, rows := range sets {
		modelName, ok := strings.CutPrefix(name, "siglip_")
		if !ok {
			continue
		}
		model := read(t, filepath.Join(dir, modelName+".model"))
		t.Run(name+"/model", func(t *testing.T) {
			m, err := sentencepiece.Parse(model)
			if err != nil {
				t.Fatal(err)
			}
			c := &tally{t: t}
			for _, r := range rows {
				c.check(r, nil, nil, cleanCanonicalize.clean(r.Text), r.Canonical)
				for text, want := range map[string][]int32{r.Canonical: r.IDs, r.Text: r.RawIDs} {
					if got := m.Encode(text); !slices.Equal(got, want) {
						t.Errorf("%q:\n got %v\nwant %v", text, got, want)
					}
				}
			}
			c.report()
			checkSigLIPRows(t, map[string][]byte{"spiece.model": model}, rows)
		})
		t.Run(name+"/tokenizer.json", func(t *testing.T) {
			path := filepath.Join(dir, modelName+".tokenizer.json")
			if _, err := os.Stat(path); err != nil {
				t.Skip("the set has none")
			}
			checkSigLIPRows(t, map[string][]byte{"tokenizer.json": read(t, path)}, rows)
		})
	}
}

// checkSigLIPRows compares rows of open_clip's SigLIP tokenizer.
func checkSigLIPRows(t *testing.T, files map[string][]byte, rows []row) {
	c := &tally{t: t}
	defer c.report()
	for _, r := range rows {
		for name, want := range r.rows {
			context, _ := contextOf(name)
			tok := opened(t, files, Options{Family: "siglip", Library: OpenCLIP, Context: context})
			c.check(r, tok.Rows([]string{r.Text}), want, "", "")
		}
	}
}

func TestFixtureVocabularies(t *testing.T) {
	dir := reference.Fixtures(t, "tokens")
	files, err := filepath.Glob(filepath.Join(dir, "*.vocab"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			m, err := sentencepiece.Parse(read(t, strings.TrimSuffix(f, ".vocab")+".model"))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimRight(string(read(t, f)), "\n"), "\n")
			if len(lines) != len(m.Pieces) {
				t.Fatalf("%d pieces, want %d", len(m.Pieces), len(lines))
			}
			for i, line := range lines {
				at := strings.LastIndex(line, "\t")
				score, err := strconv.ParseFloat(line[at+1:], 64)
				if err != nil {
					t.Fatal(err)
				}
				if p := m.Pieces[i]; p.Text != line[:at] || math.Abs(float64(p.Score)-score) > 1e-5*max(1, math.Abs(score)) {
					t.Errorf("piece %d is %q of score %v, want %q", i, p.Text, p.Score, line)
				}
			}
		})
	}
}
