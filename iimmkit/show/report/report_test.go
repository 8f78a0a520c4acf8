package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/correlation"
	"github.com/iimmkit/iimm/iimmkit/study/experiment"
	"github.com/iimmkit/iimm/iimmkit/study/reproduce"
)

const nasty = `<img src=x onerror="alert(1)">&'"</svg></title><script>alert(2)</script>`

// made are runs as an experiment writes them: n tasks, methods full and probe.
func made(n int, seeds ...int) []experiment.Run {
	r := rand.New(rand.NewPCG(11, 12))
	groups := []string{"id", "rare", "composed", "shift", "held", "real"}
	name := func(k int) string { return fmt.Sprintf("world/task-%d", k) }
	before := make([]float64, n)
	for k := range before {
		before[k] = math.Round(200*float64(k)/float64(n-1)) / 200 // the last one at the ceiling
	}
	var runs []experiment.Run
	for k := range n {
		iimm := .2 + .5*r.Float64()
		for _, method := range []string{"full", "probe"} {
			for _, seed := range seeds {
				after := math.Min(1, before[k]+math.Round(200*(1-before[k])*(.3+.5*r.Float64()))/200)
				run := experiment.Run{
					Schema: 1, RunID: fmt.Sprintf("%s-%d-%d", method, k, seed), Protocol: "quick", Model: "micro-clip", Method: method,
					Task: name(k), Group: groups[k%6], Domain: fmt.Sprintf("domain-%d", k/2), Seed: seed, NTrain: 800, NTest: 200, Classes: 5 + k,
					ZeroShotAccuracy: before[k], Accuracy: after, Gain: 100 * (after - before[k]),
					IIMM: iimm, Inter: iimm - .1, Intra: iimm + .1, Alignment: .3 + .1*r.Float64(), IntraText: .5 + .1*r.Float64(), ModalityGap: .8 + .1*r.Float64(),
					ProbeCVAccuracy: math.Min(1, after+.02*r.Float64()), Seconds: 5, PhaseSeconds: map[string]float64{"tune": 4, "evaluate": 1},
					Backend: "go", Hashes: map[string]string{"model": "0123456789abcdef", "config": "c-" + method, "task": fmt.Sprintf("t-%d", k)},
				}
				if before[k] < 1 {
					v := (after - before[k]) / (1 - before[k])
					run.ScaledGain = &v
				}
				if method == "full" {
					run.OffTarget = map[string][2]float64{}
					sum := 0.0
					for j := range n {
						if j != k {
							now := math.Max(0, before[j]-math.Round(20*r.Float64())/200)
							run.OffTarget[name(j)] = [2]float64{before[j], now}
							sum += 100 * (before[j] - now) / float64(n-1)
						}
					}
					run.Forgetting = &sum
				}
				runs = append(runs, run)
			}
		}
	}
	return runs
}

func input(t *testing.T, runs []experiment.Run) Input {
	t.Helper()
	c, err := correlation.Analyse(runs, correlation.Options{Bootstrap: 200, Subsets: 100})
	if err != nil {
		t.Fatal(err)
	}
	return Input{Runs: runs, Correlation: c, Program: "iimm test"}
}

func render(t *testing.T, in Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// markup parses a page leniently, as browsers do, and returns its elements.
func markup(t *testing.T, page string) map[string]int {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	elements := map[string]int{}
	for {
		token, err := d.Token()
		if err == io.EOF {
			return elements
		}
		if err != nil {
			t.Fatalf("page does not parse: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") {
					t.Errorf("<%s> has event attribute %s", e.Name.Local, a.Name.Local)
				}
			}
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

func TestThePageHoldsWhatTheRunsSay(t *testing.T) {
	runs := made(14, 0, 1)
	in := input(t, runs)
	page := render(t, in)
	elements := markup(t, page)
	if want := 10 + 7; elements["svg"] != want || elements["figure"] != want {
		t.Errorf("%d charts in %d figures, want %d: ten of full fine-tuning, seven of the probe", elements["svg"], elements["figure"], want)
	}
	text := tags.ReplaceAllString(page, " ")
	g := &in.Correlation.Groups[0]
	for _, want := range []string{
		"zero-shot error", "要約", "Niss", "partly by arithmetic", "not defined and left out", "0123456789abcdef", "iimm test",
		"Not reproduced: the paper's models", "14 tasks come from 7 image domains", "14 different, one a task",
		"model micro-clip", "2 seeds", "protocol quick", "60 steps of 32 images", "4 min 40 s", "tune 80 %",
		decimal(*g.Correlation(correlation.IIMM, correlation.Gain).R), decimal(*g.Correlation(correlation.ZeroShotError, correlation.Forgetting).R),
		interval(g.Correlation(correlation.ProbeCVAccuracy, correlation.Accuracy).CI95),
	} {
		if !strings.Contains(strings.ReplaceAll(text, "&#39;", "'"), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for k := range 14 {
		if strings.Count(text, fmt.Sprintf("world/task-%d ", k)) < 2 { // a row of both task tables
			t.Errorf("task %d is not in both task tables", k)
		}
	}
	for _, bad := range []string{"NaN", "+Inf", "<nil>", "%!", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

func TestThePageNeedsNoNetwork(t *testing.T) {
	page := render(t, input(t, made(12, 0)))
	page = strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, "")
	for _, bad := range []string{"http:", "https:", "//cdn", "<script", "<link", "@import", "url(", "src=", "href="} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if !strings.Contains(page, `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`) {
		t.Error("the page does not forbid itself the network")
	}
}

func TestTheSameInputGivesTheSamePage(t *testing.T) {
	runs := made(12, 0)
	if a, b := render(t, input(t, runs)), render(t, input(t, runs)); a != b {
		t.Error("two pages differ")
	}
}

func TestNamesFromElsewhereAreText(t *testing.T) {
	runs := made(12, 0)
	for i := range runs {
		runs[i].Model, runs[i].Protocol, runs[i].Group = nasty, nasty, runs[i].Group+nasty
		runs[i].Backend, runs[i].Hashes["model"] = nasty, nasty
		if runs[i].Task == "world/task-3" {
			runs[i].Task = nasty
		}
		if v, ok := runs[i].OffTarget["world/task-3"]; ok {
			delete(runs[i].OffTarget, "world/task-3")
			runs[i].OffTarget[nasty] = v
		}
	}
	failed := runs[0]
	failed.RunID, failed.Seed, failed.Error = "failed", 9, nasty
	in := input(t, append(runs, failed))
	in.Title, in.Program = nasty, nasty
	page := render(t, in)
	elements := markup(t, page)
	if elements["script"]+elements["img"] > 0 {
		t.Errorf("%d script and %d img elements got in", elements["script"], elements["img"])
	}
	if !strings.Contains(page, "&lt;script&gt;alert(2)") || !strings.Contains(page, "1 failed") {
		t.Error("the names or the failed run are not shown")
	}
}

// Neither outcome may be hidden: with IIMM equal to the gain the page says that
// it is shown, with IIMM unrelated that it is not.
func TestTheHeadlineFollowsTheData(t *testing.T) {
	related := made(20, 0)
	unrelated := made(20, 0)
	for i := range related {
		related[i].IIMM = related[i].Gain/200 + .001*float64(i%3)
		// Orthogonal to the task's number, which gain follows.
		k := float64(i / 2)
		unrelated[i].IIMM = .3 + .01*math.Mod(k*7, 5) - .0002*k
	}
	for _, c := range []struct {
		runs           []experiment.Run
		want, japanese string
	}{
		{related, "IIMM goes with more gain", "IIMMと向上には正の相関がありました"},
		{unrelated, "No correlation of IIMM with gain", "IIMMと向上の相関は確認されませんでした"},
		{made(3, 0), "Too few tasks to say whether IIMM goes with gain", "課題が少なく、IIMMと向上の相関は判断できません"},
	} {
		in := input(t, c.runs)
		g := &in.Correlation.Groups[in.first()]
		if head := english(g).Headline; !strings.HasPrefix(head, c.want) {
			t.Errorf("headline %q, want %q…", head, c.want)
		}
		if head := japanese(g).Headline; !strings.HasPrefix(head, c.japanese) {
			t.Errorf("headline %q, want %q…", head, c.japanese)
		}
		page := render(t, in)
		if !strings.Contains(page, c.want) || !strings.Contains(page, c.japanese) {
			t.Errorf("the page does not carry its headline %q", c.want)
		}
	}
}

func TestAStudyOfTwoTasksIsStillReported(t *testing.T) {
	page := render(t, input(t, made(2, 0)))
	if n := markup(t, page)["svg"]; n < 2 { // bars and heat map; no scatter of two points
		t.Errorf("%d charts", n)
	}
	if strings.Contains(page, "NaN") {
		t.Error("NaN on the page")
	}
}

func TestForgettingOfAProbeIsLeftOut(t *testing.T) {
	in := input(t, made(12, 0))
	figures, err := Figures(in)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range figures {
		if seen[f.Name] {
			t.Errorf("two figures are named %s", f.Name)
		}
		seen[f.Name] = true
		if strings.HasPrefix(f.Name, "probe-") && (strings.Contains(f.Name, "forgetting") || strings.Contains(f.Name, "off-target")) {
			t.Errorf("figure %s of a method that cannot forget", f.Name)
		}
	}
	for _, want := range []string{"full-iimm-gain", "full-iimm-forgetting", "full-zero-shot-error-gain", "full-zero-shot-error-forgetting",
		"full-probe-cv-accuracy-accuracy", "full-tasks", "full-off-target", "probe-iimm-gain"} {
		if !seen[want] {
			t.Errorf("no figure %s", want)
		}
	}
	if figures[0].Name != "full-iimm-gain" {
		t.Errorf("the report begins with %s", figures[0].Name)
	}
}

func TestFiguresOfSeveralModelsHaveNamesOfTheirOwn(t *testing.T) {
	runs := made(12, 0)
	for _, model := range []string{"../evil model", "../evil/model", "_evil_model"} {
		other := made(12, 0)
		for i := range other {
			other[i].Model, other[i].RunID = model, model+other[i].RunID
		}
		runs = append(runs, other...)
	}
	figures, err := Figures(input(t, runs))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range figures {
		if seen[f.Name] || strings.ContainsAny(f.Name, "/\\ ") || strings.HasPrefix(f.Name, ".") {
			t.Errorf("file name %q", f.Name)
		}
		seen[f.Name] = true
	}
}

func TestTheMatrixAveragesSeedsAndLeavesTheDiagonalOut(t *testing.T) {
	runs := made(4, 0, 1)
	in := input(t, runs)
	tasks := in.tasks(&in.Correlation.Groups[0])
	columns, change := matrix(tasks)
	if len(columns) != 4 || len(change) != 4 {
		t.Fatalf("%d x %d", len(change), len(columns))
	}
	for i, k := range tasks {
		for j, o := range tasks {
			if i == j {
				if !math.IsNaN(change[i][j]) {
					t.Errorf("diagonal %d is %v", i, change[i][j])
				}
				continue
			}
			want := 0.0
			for _, r := range runs {
				if r.Method == "full" && r.Task == k.Task.Task {
					want += 50 * (r.OffTarget[o.Task.Task][1] - r.OffTarget[o.Task.Task][0])
				}
			}
			if math.Abs(change[i][j]-want) > 1e-9 {
				t.Errorf("%s after tuning on %s: %v, want %v", o.Task.Task, k.Task.Task, change[i][j], want)
			}
		}
	}
}

// 1.96 sqrt(p1(1-p1)/(n+2) + p2(1-p2)/(n+2)) with p = (x+1)/(n+2), in points:
// 80 and 120 of 200 by hand.
func TestIntervalsFollowTheNumberOfTestImages(t *testing.T) {
	run := experiment.Run{NTest: 200, ZeroShotAccuracy: .4, Accuracy: .6}
	gain, forgetting := halves([]experiment.Run{run}, nil)
	p1, p2 := 81.0/202, 121.0/202
	want := 196 * math.Sqrt((p1*(1-p1)+p2*(1-p2))/202)
	if math.Abs(gain-want) > 1e-12 || math.Abs(want-9.557) > .01 {
		t.Errorf("half width %v, want %v (9.56)", gain, want)
	}
	if !math.IsNaN(forgetting) {
		t.Errorf("forgetting without retained tasks has half width %v", forgetting)
	}
	certain, _ := halves([]experiment.Run{{NTest: 200, ZeroShotAccuracy: 1, Accuracy: 1}}, nil)
	if certain < 1 || certain > 2 {
		t.Errorf("200 of 200 twice: half width %v points; it is not certainty", certain)
	}
}

func TestShortNamesStayDifferent(t *testing.T) {
	var tasks []measured
	for _, n := range []string{"world/shape", "mnist", "folder:/a/steel/", "folder:/b/steel", "world/mnist"} {
		tasks = append(tasks, measured{Task: correlation.Task{Task: n}})
	}
	got := shortNames(tasks)
	for i, want := range []string{"shape", "mnist", "folder:/a/steel/", "folder:/b/steel", "world/mnist"} {
		if got[i] != want {
			t.Errorf("%q, want %q", got[i], want)
		}
	}
}

func TestOpenTrustsOnlyAnAnalysisOfTheseRuns(t *testing.T) {
	dir := t.TempDir()
	runs := made(6, 0)
	ledger := func(runs []experiment.Run) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		for _, r := range runs {
			if err := e.Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, experiment.LedgerFile), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	analysis := func(data []byte) {
		if err := os.WriteFile(filepath.Join(dir, reproduce.CorrelationFile), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Open(dir); err == nil {
		t.Error("an empty folder was opened")
	}
	ledger(runs)
	if in, renewed, err := Open(dir); err != nil || !renewed || in.Correlation.Runs != 12 {
		t.Fatalf("without analysis: renewed %v, %v", renewed, err)
	}
	c, err := correlation.Analyse(runs, correlation.Options{Bootstrap: 77})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	analysis(data)
	if in, renewed, err := Open(dir); err != nil || renewed || in.Correlation.Bootstrap != 77 {
		t.Errorf("with its analysis: renewed %v, %v", renewed, err)
	}
	more := made(6, 0, 1)
	ledger(more)
	if in, renewed, err := Open(dir); err != nil || !renewed || in.Correlation.Runs != 24 {
		t.Errorf("with an analysis of other runs: renewed %v, %v", renewed, err)
	}
	runs[0].Gain += 1
	ledger(runs)
	if _, renewed, err := Open(dir); err != nil || !renewed {
		t.Errorf("with an analysis of other values: renewed %v, %v", renewed, err)
	}
	analysis([]byte(`{"schema": 1, "groups": [`))
	if _, _, err := Open(dir); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a broken analysis: %v", err)
	}
	analysis([]byte(`{"schema": 99}`))
	if _, _, err := Open(dir); err == nil {
		t.Error("an analysis of another schema was read")
	}
}

func TestNothingToTellIsAnError(t *testing.T) {
	for _, in := range []Input{{}, {Correlation: &correlation.Report{}}} {
		if err := Render(io.Discard, in); err == nil {
			t.Error("an empty report was written")
		}
		if _, err := Figures(in); err == nil {
			t.Error("figures of nothing")
		}
	}
}
