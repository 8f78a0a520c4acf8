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
	for _, tt := range []struct{ file, group, name, text, want string }{
		{"x.csv", "", "header", "path,label\na.png,cat\nb.png,dog\n", "2:a.png:cat:: 3:b.png:dog::"},
		{"x.csv", "", "no header", "a.png,cat\nb.png,dog", "1:a.png:cat:: 2:b.png:dog::"},
		{"x.csv", "", "other names and order", "id,Class,Filename\n7,cat,a.png\n", "2:a.png:cat::"},
		{"x.csv", "", "split", "image,category,split\na.png,cat,Train\nb.png,cat,validation\nc.png,cat,test\n",
			"2:a.png:cat:train: 3:b.png:cat:val: 4:c.png:cat:test:"},
		{"x.csv", "", "three columns without header", "a.png,cat,train\nb.png,cat,test\n", "1:a.png:cat:train: 2:b.png:cat:test:"},
		{"x.csv", "", "semicolons and BOM", "\ufeffpath;label\r\na.png;cat\r\n", "2:a.png:cat::"},
		{"x.tsv", "", "tabs", "path\tlabel\na.png\tlynx lynx\n", "2:a.png:lynx lynx::"},
		{"x.tsv", "", "an empty field between tabs", "path\tnote\tlabel\na.png\t\tcat\n", "2:a.png:cat::"},
		{"x.csv", "", "quotes", "path,label\n\"a, b.png\",\"big \"\"cat\"\"\"\n", `2:a, b.png:big "cat"::`},
		{"x.csv", "", "Japanese", "path,label\n画像.png,猫\n", "2:画像.png:猫::"},
		{"x.csv", "part", "group", "path,Part,label\na.png,p7,cat\nb.png,p8,cat\n", "2:a.png:cat::p7 3:b.png:cat::p8"},
		{"x.jsonl", "", "JSON lines", "{\"file_name\": \"a.png\", \"label\": 3}\n\n{\"file_name\": \"b.png\", \"label\": \"dog\", \"more\": {\"x\": [1]}}",
			"1:a.png:3:: 3:b.png:dog::"},
		{"x.ndjson", "clip", "JSON lines with split and group", "{\"path\":\"a.png\",\"label\":\"cat\",\"split\":\"test\",\"clip\":12}", "1:a.png:cat:test:12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := new(Problems)
			rows, err := parseList(tt.file, []byte(tt.text), tt.group, problems)
			if err != nil || problems.Len() > 0 {
				t.Fatal(err, problems.List())
			}
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%d:%s:%s:%s:%s", r.line, r.path, r.label, r.split, r.group))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestListNamesBadRows(t *testing.T) {
	for _, tt := range []struct{ file, text string }{
		{"x.csv", "path,label,split\na.png,cat,train\n,cat,train\nb.png\nc.png,dog,maybe\nd.png, ,test\n"},
		{"x.jsonl", `{"path":"a.png","label":"cat","split":"train"}
{"label":"cat","split":"train"}
{"path":"b.png"
{"path":"c.png","label":"dog","split":"maybe"}
{"path":"d.png","label":null,"split":"test"}`},
	} {
		problems := new(Problems)
		rows, err := parseList(tt.file, []byte(tt.text), "", problems)
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
		want := []string{"line 3", "line 4", "line 5", "line 6"}
		if tt.file == "x.jsonl" {
			want = []string{"line 2", "line 3", "line 4", "line 5"}
		}
		if !slices.Equal(lines, want) {
			t.Errorf("%s: %q, want %q", tt.file, lines, want)
		}
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
		"a table":      "path,label\na.png,cat\n",
		"JSON":         "[1, 2]",
	} {
		file := "x.csv"
		if name == "a table" || name == "JSON" {
			file = "x.jsonl"
		}
		problems := new(Problems)
		if rows, err := parseList(file, []byte(text), "", problems); err == nil && problems.Len() == 0 {
			t.Errorf("%s: accepted as %v", name, rows)
		}
	}
	for _, file := range []string{"x.csv", "x.jsonl"} {
		problems := new(Problems)
		rows, err := parseList(file, []byte("path,label\na.png,cat\n"), "part", problems)
		if err == nil {
			t.Errorf("%s without the column to group by: accepted as %v", file, rows)
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
	task, problems, err := Open(list, FolderOptions{OnError: Skip, Template: "one {class}"})
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
	task, problems, err = Open(flat, FolderOptions{KeepOverlap: true})
	if err != nil || problems.Len() > 0 {
		t.Fatal(err, problems.List())
	}
	if task.Train.Len() != 2 || task.Test.Len() != 2 {
		t.Errorf("%d and %d images", task.Train.Len(), task.Test.Len())
	}
	binary := filepath.Join(tree(t, map[string][]byte{"x.csv": {0x89, 'P', 'N', 'G', 0}}), "x.csv")
	if _, _, err := Open(binary, FolderOptions{}); err == nil || !strings.Contains(err.Error(), "is not text") {
		t.Errorf("a list that is not text: %v", err)
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"path,label\na.png,cat\n", "a;b;train\n", "\"", "path\tlabel\n\"x\ny\"\tz", "\ufeffpath,label,split\na,b,c", "path,label,g\na,b,c"} {
		f.Add("x.csv", []byte(s))
	}
	f.Add("x.jsonl", []byte(`{"path":"a","label":1,"split":"val"}`+"\n{}\n[\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		for _, group := range []string{"", "g"} {
			problems := new(Problems)
			rows, err := parseList(name, data, group, problems)
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\x00") {
					t.Errorf("the error has several lines: %q", err)
				}
				continue
			}
			if len(rows) == 0 && problems.Len() == 0 {
				t.Error("neither rows nor problems nor an error")
			}
			for _, r := range rows {
				if r.path == "" || r.label == "" || r.line < 1 || r.split != "" && splitName(r.split) != r.split {
					t.Errorf("row %+v", r)
				}
			}
		}
	})
}
