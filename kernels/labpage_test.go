//go:build unix

package kernels

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// openedNotebooks are those that the browser works through: the quick start, or the
// first of the course where there is none, and learning and forgetting.
func openedNotebooks(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, patterns := range [][]string{{"00-*.ipynb", "01-*.ipynb"}, {"02-*.ipynb"}} {
		for _, pattern := range patterns {
			found, _ := filepath.Glob(filepath.Join("..", "notebooks", pattern))
			// A translation is named after its original.
			slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) })
			if len(found) > 0 {
				paths = append(paths, found[0])
				break
			}
		}
	}
	if len(paths) != 2 {
		t.Fatalf("notebooks: %v", paths)
	}
	return paths
}

// notebookFile is what the test reads of an .ipynb.
type notebookFile struct {
	Metadata map[string]any `json:"metadata"`
	Cells    []struct {
		Type    string `json:"cell_type"`
		Outputs []struct {
			Type string                     `json:"output_type"`
			Data map[string]json.RawMessage `json:"data"`
		} `json:"outputs"`
	} `json:"cells"`
}

func readNotebook(t *testing.T, path string) (n notebookFile) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return n
}

const vegaLite = "application/vnd.vegalite.v5+json"

// charts returns the Vega-Lite outputs in their order.
func (n notebookFile) charts() []string {
	var all []string
	for _, c := range n.Cells {
		for _, o := range c.Outputs {
			if spec, ok := o.Data[vegaLite]; ok {
				var text bytes.Buffer
				json.Compact(&text, spec) // it was parsed as part of the file
				all = append(all, text.String())
			}
		}
	}
	return all
}

// labInBrowser goes through notebooks of the course as a reader does, in a real
// browser: it runs all, hovers over a point, edits a cell, completes a name, saves,
// and looks at what was saved as somebody does who does not trust it. No other host
// may be asked for anything.
func labInBrowser(t *testing.T) {
	chromium := findChromium(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	opened := openedNotebooks(t)
	for i, path := range opened {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		opened[i] = filepath.Join(dir, filepath.Base(path))
		write(t, opened[i], string(data))
	}
	began := time.Now()
	home, err := url.Parse(labCommand(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("iimm lab printed its address after %.1f s", time.Since(began).Seconds())
	b := openBrowser(t, chromium)
	p := &labPage{browser: b, home: home}
	for i, path := range opened {
		p.open(path)
		p.runAll()
		p.save()
		if i == 0 {
			p.shoot = true
			p.edit()
			p.complete()
			p.save()
		}
		p.hover()
		p.shoot = false
		p.reopenUntrusted()
	}
	count, outside := b.outside(home.Host)
	if len(outside) > 0 {
		t.Errorf("%d of %d requests were not the Lab's own: %q", len(outside), count, outside)
	}
	if count < 50 {
		t.Errorf("only %d requests were seen", count)
	}
	t.Logf("%d requests, %d of them to another host", count, len(outside))
}

// labPage is a JupyterLab in a browser.
type labPage struct {
	*browser
	home  *url.URL // with the token
	path  string   // the notebook that is open
	shoot bool     // leave pictures for the README
}

const panel = ".jp-NotebookPanel:not(.lm-mod-hidden) "

// load opens a notebook and waits for all its cells.
func (p *labPage) load(path string) {
	p.t.Helper()
	p.path = path
	at := *p.home
	at.Path = "/lab/tree/" + filepath.Base(path)
	query := at.Query()
	query.Set("reset", "") // no notebook beside it
	at.RawQuery = query.Encode()
	p.do(chromedp.Navigate(at.String()))
	want := len(readNotebook(p.t, path).Cells)
	until(p.browser, "cells", 60*time.Second, func(n int) bool { return n == want },
		`selector => document.querySelectorAll(selector).length`, panel+".jp-Notebook .jp-Cell")
}

// open loads a notebook and waits for its kernel to be connected: before that the
// indicator says idle too, and what is run then is lost.
func (p *labPage) open(path string) {
	p.t.Helper()
	p.load(path)
	until(p.browser, "kernel", 60*time.Second, func(ready bool) bool { return ready }, `async (panel, path) => {
		const name = document.querySelector(panel + ".jp-KernelName")
		const sessions = await (await fetch("/api/sessions")).json()
		return name.innerText.trim() === "Go (iimm)" && sessions.some(s => s.path === path && s.kernel.connections > 0)
	}`, panel, filepath.Base(path))
}

// state is how far the cells of a notebook have run.
type state struct {
	Code, Done int
	Errors     []string
}

func (p *labPage) runAll() {
	p.t.Helper()
	began := time.Now()
	p.click(".lm-MenuBar-item", "Run")
	p.click(".lm-Menu-itemLabel", "Run All Cells")
	until(p.browser, "begin of the cells", 20*time.Second, func(n int) bool { return n > 0 },
		`panel => [...document.querySelectorAll(panel + ".jp-CodeCell .jp-InputPrompt")].filter(e => /\[(\*|\d+)\]:/.test(e.innerText)).length`, panel)
	ran := until(p.browser, "end of all cells", 4*time.Minute, func(s state) bool { return s.Code > 0 && s.Done == s.Code || len(s.Errors) > 0 }, `panel => {
		const code = [...document.querySelectorAll(panel + ".jp-CodeCell")]
		return {
			Code: code.length,
			Done: code.filter(c => /\[\d+\]:/.test(c.querySelector(".jp-InputPrompt").innerText)).length,
			Errors: [...document.querySelectorAll(panel + '[data-mime-type="application/vnd.jupyter.error"], ' + panel + '[data-mime-type="application/vnd.jupyter.stderr"]')].map(e => e.innerText),
		}
	}`, panel)
	if len(ran.Errors) > 0 {
		p.shot("failure", nil)
		p.t.Fatalf("%s: %q", p.path, ran.Errors)
	}
	p.t.Logf("%s: %d code cells ran in %.1f s", filepath.Base(p.path), ran.Code, time.Since(began).Seconds())
}

// save saves and waits for the file.
func (p *labPage) save() {
	p.t.Helper()
	before, err := os.Stat(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.press("s", chromedp.ModifierCtrl)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now, err := os.Stat(p.path)
		if err == nil && now.ModTime().After(before.ModTime()) {
			// Written half it is no JSON.
			if data, err := os.ReadFile(p.path); err == nil && json.Valid(data) {
				break
			}
		}
		if time.Now().After(deadline) {
			p.shot("failure", nil)
			p.t.Fatalf("%s was not saved: %v", p.path, err)
		}
	}
	if len(readNotebook(p.t, p.path).charts()) == 0 {
		p.t.Errorf("no chart is in the saved %s", p.path)
	}
}

// hovered is where on the page a point is, and its chart.
type hovered struct {
	X, Y  float64
	Chart box
}

// hover looks for a point with a name on the charts of the page, moves the mouse
// there and reads the name in the tooltip.
func (p *labPage) hover() {
	p.t.Helper()
	charts := readNotebook(p.t, p.path).charts()
	until(p.browser, "charts", 30*time.Second, func(n int) bool { return n == len(charts) }, `panel =>
		[...document.querySelectorAll(panel + ".vega-embed canvas, " + panel + ".vega-embed svg.marks")].filter(c => c.getBoundingClientRect().width > 100).length`, panel)
	const tooltip = `() => {
		const t = document.querySelector("#vg-tooltip-element.visible")
		return t && Object.fromEntries([...t.querySelectorAll("tr")].map(r => [...r.cells].map(c => c.innerText.trim().replace(/:$/, ""))))
	}`
	for i, spec := range slices.Backward(charts) {
		if !strings.Contains(spec, `"field":"name"`) {
			continue
		}
		// Where its points are only the chart knows: whatever has a colour is tried.
		// The events that look for a point are made up, those that count are not.
		found, err := evaluate[hovered](p.browser, `(panel, i) => {
			const tooltip = `+tooltip+`
			const chart = document.querySelectorAll(panel + ".vega-embed")[i]
			chart.scrollIntoView({block: "center"})
			const canvas = chart.querySelector("canvas")
			const r = canvas.getBoundingClientRect(), scale = canvas.width / r.width
			const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
			for (let y = 2; y < r.height; y += 4)
				for (let x = 2; x < r.width; x += 4) {
					const at = 4 * (Math.floor(y * scale) * canvas.width + Math.floor(x * scale))
					const [red, green, blue] = pixels.slice(at, at + 3)
					if (Math.max(red, green, blue) - Math.min(red, green, blue) < 60) continue
					canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: r.x + x, clientY: r.y + y, bubbles: true}))
					const rows = tooltip()
					if (rows && rows.name) {
						canvas.dispatchEvent(new PointerEvent("pointerout", {clientX: r.x, clientY: r.y, bubbles: true}))
						return {X: r.x + x, Y: r.y + y, Chart: {X: r.x, Y: r.y, Width: r.width, Height: r.height}}
					}
				}
			return null
		}`, panel, i)
		if err != nil {
			p.t.Fatal(err)
		}
		if !found.Chart.there() {
			continue
		}
		p.do(chromedp.MouseEvent(chromedp.MouseMoved, found.Chart.X-5, found.Chart.Y))
		until(p.browser, "end of the tooltip", 10*time.Second, func(rows map[string]string) bool { return rows == nil }, tooltip)
		p.do(chromedp.MouseEvent(chromedp.MouseMoved, found.X, found.Y))
		read := until(p.browser, "tooltip", 10*time.Second, func(rows map[string]string) bool { return rows["name"] != "" }, tooltip)
		name, err := json.Marshal(read["name"])
		if err != nil {
			p.t.Fatal(err)
		}
		// A map holds its points as one string of CSV.
		if !strings.Contains(spec, strings.Trim(string(name), `"`)) {
			p.t.Errorf("%s: the tooltip says %v, which the chart does not hold", p.path, read)
		}
		p.t.Logf("%s, chart %d of %d: the mouse is on %v", filepath.Base(p.path), i+1, len(charts), read)
		if p.shoot {
			p.shot("lab", nil)
			words := p.find("#vg-tooltip-element", "")
			part := found.Chart
			part.Width = max(part.Width, words.X+words.Width+8-part.X)
			part.Height = max(part.Height, words.Y+words.Height+8-part.Y)
			p.shot("lab-hover", &part)
		}
		return
	}
	p.shot("failure", nil)
	p.t.Fatalf("%s: no chart of %d has a point with a name", p.path, len(charts))
}

// firstCell selects the code cell that typeInFirst has marked.
const firstCell = panel + ".jp-CodeCell[data-first]"

// typeInFirst puts text at the end of the first code cell.
func (p *labPage) typeInFirst(text string) {
	p.t.Helper()
	until(p.browser, "code cell", 10*time.Second, func(ok bool) bool { return ok }, `panel => {
		const cell = document.querySelector(panel + ".jp-CodeCell")
		cell.dataset.first = ""
		cell.scrollIntoView({block: "start"})
		return true
	}`, panel)
	p.click(firstCell+" .cm-content", "")
	p.press(kb.End, chromedp.ModifierCtrl)
	p.insert(text)
}

// runFirst runs the first code cell and waits for what it prints.
func (p *labPage) runFirst(want string) {
	p.t.Helper()
	began := time.Now()
	p.press(kb.Enter, chromedp.ModifierCtrl)
	until(p.browser, "output "+want, 60*time.Second, func(text string) bool { return strings.Contains(text, want) },
		`selector => document.querySelector(selector).innerText`, firstCell+" .jp-Cell-outputWrapper")
	p.t.Logf("the edited cell said %q after %.2f s", want, time.Since(began).Seconds())
}

func (p *labPage) edit() {
	p.t.Helper()
	p.typeInFirst("\nfmt.Println(\"edited\", 6*7)")
	p.runFirst("edited 42")
}

// complete types a part of a name that is nowhere on the page, where JupyterLab would
// find it by itself, and lets Tab write the rest.
func (p *labPage) complete() {
	p.t.Helper()
	p.typeInFirst("\nfmt.Print(fmt.Sprintl")
	const done = "fmt.Sprintln"
	const source = `cell => ({
		Text: document.querySelector(cell + " .cm-content").innerText.trimEnd(),
		Items: [...document.querySelectorAll(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item")].map(e => e.innerText.trim()),
	})`
	type offer struct {
		Text  string
		Items []string
	}
	began := time.Now()
	var got offer
	// gopls answers nothing while it reads the module for the first time.
	for range 6 {
		p.press(kb.Tab)
		for wait := time.Now().Add(10 * time.Second); time.Now().Before(wait) && len(got.Items) == 0 && !strings.HasSuffix(got.Text, done); time.Sleep(100 * time.Millisecond) {
			var err error
			if got, err = evaluate[offer](p.browser, source, firstCell); err != nil {
				p.t.Fatal(err)
			}
		}
		if len(got.Items) > 0 || strings.HasSuffix(got.Text, done) {
			break
		}
	}
	p.t.Logf("Tab offered %q after %.2f s", got.Items, time.Since(began).Seconds())
	if len(got.Items) > 0 {
		p.shot("lab-complete", nil)
		p.click(".jp-Completer-item", got.Items[0])
	}
	until(p.browser, "completed name", 10*time.Second, func(o offer) bool { return strings.HasSuffix(o.Text, done) && len(o.Items) == 0 }, source, firstCell)
	p.insert("(\"completed\", 6*7))")
	p.runFirst("completed 42")
}

// reopenUntrusted opens what was saved as another's notebook: with outputs that were
// not made here. Charts and tables must be there all the same, and the charts live.
func (p *labPage) reopenUntrusted() {
	p.t.Helper()
	data, err := os.ReadFile(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	var n map[string]any
	if err := json.Unmarshal(data, &n); err != nil {
		p.t.Fatal(err)
	}
	// Jupyter trusts what it has signed, by its content.
	n["metadata"].(map[string]any)["copied"] = true
	if data, err = json.Marshal(n); err != nil {
		p.t.Fatal(err)
	}
	const tables = `panel => document.querySelectorAll(panel + ".jp-RenderedHTML td").length`
	before, err := evaluate[int](p.browser, tables, panel)
	if err != nil {
		p.t.Fatal(err)
	}
	copied := strings.TrimSuffix(p.path, ".ipynb") + "-copied.ipynb"
	write(p.t, copied, string(data))
	p.load(copied)
	until(p.browser, "distrust", 20*time.Second, func(text string) bool { return strings.Contains(text, "not trusted") },
		`() => (document.querySelector(".jp-StatusItem-trust") || {title: ""}).title`)
	until(p.browser, "tables", 20*time.Second, func(n int) bool { return n == before }, tables, panel)
	p.hover()
}
