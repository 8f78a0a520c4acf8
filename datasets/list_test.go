package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestListReadsCommonForms(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"header", "path,label\na.png,cat\nb.png,dog\n", "[{2 a.png cat } {3 b.png dog }]"},
		{"no header", "a.png,cat\nb.png,dog", "[{1 a.png cat } {2 b.png dog }]"},
		{"other names and order", "id,Class,Filename\n7,cat,a.png\n", "[{2 a.png cat }]"},
		{"split", "image,category,split\na.png,cat,Train\nb.png,cat,validation\n", "[{2 a.png cat train} {3 b.png cat test}]"},
		{"three columns without header", "a.png,cat,train\nb.png,cat,test\n", "[{1 a.png cat train} {2 b.png cat test}]"},
		{"semicolons and BOM", "\ufeffpath;label\r\na.png;cat\r\n", "[{2 a.png cat }]"},
		{"tabs", "path\tlabel\na.png\tlynx lynx\n", "[{2 a.png lynx lynx }]"},
		{"quotes", "path,label\n\"a, b.png\",\"big \"\"cat\"\"\"\n", `[{2 a, b.png big "cat" }]`},
		{"Japanese", "path,label\n画像.png,猫\n", "[{2 画像.png 猫 }]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := new(Problems)
			rows, err := parseList([]byte(tt.text), problems)
			if err != nil || problems.Len() > 0 {
				t.Fatal(err, problems.List())
			}
			if got := fmt.Sprint(rows); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestListNamesBadRows(t *testing.T) {
	problems := new(Problems)
	rows, err := parseList([]byte("path,label,split\na.png,cat,train\n,cat,train\nb.png\nc.png,dog,maybe\nd.png, ,test\n"), problems)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	var lines []string
	for _, p := range problems.List() {
		if p.Kind != BadRow {
			t.Errorf("%s is a %s", p, p.Kind)
		}
		lines = append(lines, p.Path)
	}
	if want := []string{"line 3", "line 4", "line 5", "line 6"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

func TestListRefusesWhatIsNone(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"header only":  "path,label\n",
		"one column":   "a.png\nb.png\n",
		"no label":     "path,size\na.png,7\n",
		"binary":       "\x89PNG\x00\x01",
		"unclosed":     "path,label\n\"a.png,cat",
		"only a quote": "\"",
	} {
		problems := new(Problems)
		if rows, err := parseList([]byte(text), problems); err == nil && problems.Len() == 0 {
			t.Errorf("%s: accepted as %v", name, rows)
		}
	}
}

func TestListBecomesATask(t *testing.T) {
	p := pngBytes(t, 1)
	root := tree(t, map[string][]byte{"img/1.png": p, "img/2.png": p, "img/3.png": p, "img/4.png": p, "img/bad.png": []byte("no")})
	list := filepath.Join(root, "labels.csv")
	absolute := filepath.Join(root, "img", "3.png")
	text := "path,label\nimg/1.png,dog\nimg/2.png,cat\n" + absolute + ",cat\nimg/4.png,dog\nimg/bad.png,cat\nimg/gone.png,dog\nimg/1.png,cat\n"
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	task, problems, err := OpenFolder(list, FolderOptions{OnError: Skip, Template: "one {class}"})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(task.ClassNames, task.Captions) != "[cat dog] [one cat one dog]" {
		t.Error(task.ClassNames, task.Captions)
	}
	if want := []string{"img/1.png", "img/2.png", absolute, "img/4.png"}; !slices.Equal(ids(task.Train), want) {
		t.Errorf("images %q, want %q", ids(task.Train), want)
	}
	if task.Train.Label(0) != 1 || task.Train.Label(1) != 0 {
		t.Error("labels do not follow byte order")
	}
	var kinds []string
	for _, p := range problems.List() {
		kinds = append(kinds, p.Kind+" "+p.Path)
	}
	if want := []string{Unreadable + " img/gone.png", DuplicateFile + " img/1.png", NotAPicture + " img/bad.png"}; !slices.Equal(kinds, want) {
		t.Errorf("problems %q, want %q", kinds, want)
	}

	// The folder of a list needs no class folders, and a list may carry the split.
	flat := tree(t, map[string][]byte{"1.png": p, "2.png": p, "3.png": p, "4.png": p,
		"set.csv": []byte("file,class,split\n1.png,a,train\n2.png,b,train\n3.png,a,test\n4.png,b,test\n")})
	task, problems, err = OpenFolder(flat, FolderOptions{})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	if task.Train.Len() != 2 || task.Test.Len() != 2 {
		t.Errorf("%d and %d images", task.Train.Len(), task.Test.Len())
	}
	if _, _, err := OpenList(filepath.Join(flat, "1.png"), FolderOptions{}); err == nil || !strings.Contains(err.Error(), "is not text") {
		t.Errorf("a picture as a list: %v", err)
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"path,label\na.png,cat\n", "a;b;train\n", "\"", "path\tlabel\n\"x\ny\"\tz", "\ufeffpath,label,split\na,b,c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		problems := new(Problems)
		rows, err := parseList(data, problems)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if len(rows) == 0 && problems.Len() == 0 {
			t.Error("neither rows nor problems nor an error")
		}
		for _, r := range rows {
			if r.path == "" || r.label == "" || r.line < 1 {
				t.Errorf("row %+v", r)
			}
		}
	})
}
