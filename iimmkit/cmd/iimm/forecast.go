package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/store"
	"github.com/iimmkit/iimm/iimmkit/study/forecast"
	"github.com/iimmkit/iimm/iimmkit/study/forecast/calibrate"
)

func init() { verbs = append(verbs, newForecast) }

type forecastOptions struct {
	forecast.Options
	query       forecast.Query
	policy      forecast.Policy
	budget      forecast.BudgetQuery
	calibration string
	zeroShot    float64
	probe       float64
	probe10     float64
	iimm        float64
	limit       float64 // of forgetting
	retain      []string
	curve       []string
	tested      int
	seed        uint64
	thresholds  bool
	table       string
	markdown    string
	json        bool

	changed func(flag string) bool
}

func newForecast(s *streams) *cobra.Command {
	o := &forecastOptions{policy: forecast.DefaultPolicy()}
	c := &cobra.Command{
		Use:   "forecast",
		Short: "Forecast, before tuning, what each method gains and forgets, with intervals",
		Long: `Forecast takes what is known of a task before tuning (zero-shot accuracy, the
cross-validated accuracy of a linear probe, IIMM, the number of classes) and says
what tuning by each method will come to: final accuracy, gain and forgetting,
each with an 80 % and a 95 % interval, and which method to take, if any. It learns
that from a calibration: what came of tuning other tasks. Calibrations of the
shipped models and of OpenAI's CLIP come with iimm; iimm calibrate makes others.

With --curve, accuracies of the probe at several numbers of images per class, it
says how many images to label; with a cost and a value also what pays.

With --thresholds it says instead from which accuracy of the probe on tuning is worth
it, by method and zero-shot accuracy.

With --table it says instead how good forecasts are: every task of a ledger,
calibration (.json) or CSV file is forecast from the others; clip and micro name the
shipped calibrations.`,
		Example: `  iimm forecast --model micro --zero-shot .31 --probe .81 --iimm .42 --classes 5
  iimm forecast --model clip-l-14 --zero-shot .55 --probe .9 --classes 20 --retain dtd --max-forgetting 5 --json
  iimm forecast --model micro --zero-shot .31 --classes 5 --curve 1:.4,2:.5,4:.6,8:.68,16:.73 --cost-per-label 0.1 --value-per-point 20
  iimm forecast --model clip-b-32 --thresholds --min-gain 5
  iimm forecast --table out/full`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.changed = c.Flags().Changed
			switch {
			case o.table != "":
				return o.judge(c.Context(), s)
			case o.thresholds:
				return o.printThresholds(s)
			}
			return o.run(s)
		},
	}
	f := c.Flags()
	f.StringVar(&o.query.Model, "model", "micro", "model that will be tuned (default also the only one of --calibration)")
	f.StringVar(&o.calibration, "calibration", "", "file of iimm calibrate (default the one that ships for the model)")
	f.Float64Var(&o.zeroShot, "zero-shot", 0, "zero-shot accuracy, in [0,1]")
	f.Float64Var(&o.probe, "probe", 0, "cross-validated accuracy of a linear probe on all training images, in [0,1]")
	f.Float64Var(&o.probe10, "probe-10", 0, "accuracy of a linear probe on ten images a class, in [0,1]")
	f.Float64Var(&o.iimm, "iimm", 0, "IIMM of the training images")
	f.IntVar(&o.query.Classes, "classes", 0, "number of classes")
	f.StringSliceVar(&o.query.Methods, "methods", nil, "tuning methods (default all of the calibration)")
	f.StringSliceVar(&o.retain, "retain", nil, "tasks that shall not be forgotten: NAME of one in the calibration, or NAME=ZERO_SHOT_ACCURACY")
	f.Float64Var(&o.policy.MinGain, "min-gain", o.policy.MinGain, "points of gain from which tuning is worth it")
	f.Float64Var(&o.policy.Margin, "margin", o.policy.Margin, "points that a smaller method may gain less")
	f.Float64Var(&o.limit, "max-forgetting", 0, "points of forgetting that are borne (default any)")
	f.StringSliceVar(&o.curve, "curve", nil, "accuracies of the probe by images per class, as 1:.4,2:.5,4:.6")
	f.IntVar(&o.tested, "tested", 0, "images on which the accuracies of --curve were measured")
	f.StringVar(&o.budget.Method, "budget-method", "full", "method whose gain the labels are for")
	f.Float64Var(&o.budget.Within, "within", 3, "points within which the forecast shall be")
	f.IntVar(&o.budget.Limit, "limit", 1000, "largest number of images per class thought of")
	f.Float64Var(&o.budget.CostPerLabel, "cost-per-label", 0, "cost of labelling one image")
	f.Float64Var(&o.budget.ValuePerPoint, "value-per-point", 0, "value of a point of accuracy, in the same money")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the curve's band")
	f.BoolVar(&o.thresholds, "thresholds", false, "say from which accuracy of the probe on tuning is worth it")
	f.StringVar(&o.table, "table", "", "ledger, calibration or CSV file whose tasks are forecast from one another")
	f.StringVar(&o.markdown, "markdown", "", "with --table, write the tables to this file")
	addOptions(f, &o.Options)
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// forecasted is what forecast prints as JSON.
type forecasted struct {
	*forecast.Forecast
	Decision forecast.Decision `json:"decision"`
	Budget   *forecast.Budget  `json:"budget"`
}

func (o *forecastOptions) run(s *streams) error {
	if !o.changed("zero-shot") {
		return usagef("--zero-shot is required: the model's accuracy on the task before tuning")
	}
	if o.Pooled || o.ByDomain || o.markdown != "" {
		return usagef("--pooled, --by-domain and --markdown go with --table; a calibration has its own")
	}
	o.query.ZeroShotAccuracy = o.zeroShot
	for _, v := range []struct {
		flag  string
		value *float64
		to    **float64
	}{{"probe", &o.probe, &o.query.ProbeCVAccuracy}, {"probe-10", &o.probe10, &o.query.Probe10Accuracy}, {"iimm", &o.iimm, &o.query.IIMM}, {"max-forgetting", &o.limit, &o.policy.MaxForgetting}} {
		if o.changed(v.flag) {
			*v.to = v.value
		}
	}
	if err := o.parseRetain(); err != nil {
		return err
	}
	curve, err := o.parseCurve()
	if err != nil {
		return err
	}
	c, err := o.open()
	if err != nil {
		return err
	}
	if curve != nil && o.query.ProbeCVAccuracy == nil {
		last := curve.Points[len(curve.Points)-1].Accuracy
		o.query.ProbeCVAccuracy = &last
	}
	f, err := c.Forecast(o.query)
	if err != nil {
		return err
	}
	r := forecasted{Forecast: f, Decision: f.Decide(o.policy)}
	if curve != nil {
		o.budget.Query, o.budget.Curve = o.query, curve
		if r.Budget, err = c.Budget(o.budget); err != nil {
			return err
		}
	}
	if o.json {
		return s.json(r)
	}
	printForecast(s, r)
	return nil
}

func (o *forecastOptions) open() (*forecast.Calibration, error) {
	if o.calibration != "" {
		c, err := forecast.Read(o.calibration)
		if err == nil && !o.changed("model") && len(c.Models) == 1 {
			o.query.Model = c.Models[0]
		}
		if err == nil && !slices.Contains(c.Models, o.query.Model) {
			o.query.Model = forecast.ModelName(o.query.Model)
		}
		return c, err
	}
	c, name, err := forecast.ShippedFor(o.query.Model)
	o.query.Model = name
	return c, err
}

func (o *forecastOptions) parseRetain() error {
	for _, text := range o.retain {
		name, value, given := strings.Cut(text, "=")
		r := forecast.Retain{Task: name}
		if given {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return usagef("--retain %q: must be a name, or NAME=ACCURACY", text)
			}
			r.ZeroShotAccuracy = &v
		}
		o.query.Retain = append(o.query.Retain, r)
	}
	return nil
}

func (o *forecastOptions) parseCurve() (*forecast.Curve, error) {
	if len(o.curve) == 0 {
		return nil, nil
	}
	var points []forecast.CurvePoint
	for _, text := range o.curve {
		images, accuracy, _ := strings.Cut(text, ":")
		n, err1 := strconv.ParseFloat(images, 64)
		a, err2 := strconv.ParseFloat(accuracy, 64)
		if err1 != nil || err2 != nil {
			return nil, usagef("--curve %q: must be IMAGES:ACCURACY", text)
		}
		points = append(points, forecast.CurvePoint{PerClass: n, Accuracy: a, Tested: o.tested})
	}
	curve, err := forecast.FitCurve(points, o.seed)
	if err != nil {
		return nil, usageError{err}
	}
	return curve, nil
}

func printForecast(s *streams, r forecasted) {
	c := r.Calibration
	fmt.Fprintln(s.out, wrap(fmt.Sprintf("%s, calibration %s: %d observations of %d tasks (%s), hash %.12s", r.Model, c.Name, c.N, c.Tasks, c.Source, c.Hash), 88))
	rows := [][]string{{"method", "gain", "80 %", "95 %", "accuracy", "forgetting", "80 %", "gain from"}}
	for _, m := range r.Methods {
		row := []string{m.Method}
		row = append(row, cells(m.Gain, true)...)
		accuracy := "-"
		if m.Accuracy != nil {
			accuracy = fmt.Sprintf("%.3f", m.Accuracy.Value)
		}
		row = append(row, accuracy)
		row = append(row, cells(m.Forgetting, false)...)
		rows = append(rows, append(row, forecast.Label(m.Basis.Predictor)))
	}
	fmt.Fprintln(s.out)
	printColumns(s, rows)
	fmt.Fprintln(s.out, "gain and forgetting in points, forgetting averaged over retained tasks; - is not forecast")
	var retained [][]string
	for _, m := range r.Methods {
		for _, k := range m.Retained {
			if retained == nil {
				retained = [][]string{{"retained", "method", "forgetting", "80 %", "95 %"}}
			}
			retained = append(retained, append([]string{k.Task, m.Method}, cells(k.Forgetting, true)...))
		}
	}
	if retained != nil {
		fmt.Fprintln(s.out)
		printColumns(s, retained)
	}
	fmt.Fprintln(s.out)
	// A note that holds for several methods is said once.
	var notes []string
	of := map[string][]string{}
	for _, m := range r.Methods {
		for _, note := range m.Notes {
			if of[note] == nil {
				notes = append(notes, note)
			}
			of[note] = append(of[note], m.Method)
		}
	}
	for _, note := range notes {
		fmt.Fprintln(s.out, wrap(fmt.Sprintf("Note (%s): %s.", strings.Join(of[note], ", "), note), 88))
	}
	if b := r.Budget; b != nil {
		printBudget(s, b)
	}
	fmt.Fprintln(s.out, wrap(verdict(r.Decision), 88))
}

// cells shows a quantity, its 80 % and, where asked for, its 95 % interval.
func cells(q *forecast.Quantity, both bool) []string {
	out := []string{"-", "-"}
	if q != nil {
		out = []string{fmt.Sprintf("%.1f", q.Value), fmt.Sprintf("[%.1f, %.1f]", q.Interval80[0], q.Interval80[1])}
	}
	if both && q != nil {
		out = append(out, fmt.Sprintf("[%.1f, %.1f]", q.Interval95[0], q.Interval95[1]))
	} else if both {
		out = append(out, "-")
	}
	return out
}

func verdict(d forecast.Decision) string {
	words := map[string]string{
		forecast.DoNotTune: "do not tune", forecast.Full: "tune all weights (full)",
		forecast.SmallMethod: "tune by a small method: " + d.Method, forecast.NoForecast: "no forecast",
	}
	sure := "not sure"
	if d.Sure {
		sure = "sure at the 80 % intervals"
	}
	return fmt.Sprintf("Verdict: %s (%s): %s.", words[d.Verdict], sure, strings.Join(d.Reasons, "; "))
}

func printBudget(s *streams, b *forecast.Budget) {
	fmt.Fprintf(s.out, "Learning curve: accuracy(n) = 1 - %.3f - %.3f n^-%.3f; gain at %d images per class %.1f points, 80 %% band %.1f to %.1f\n",
		b.Curve.Floor, b.Curve.Scale, b.Curve.Rate, b.Limit, b.GainAtLimit, b.GainBand80[0], b.GainBand80[1])
	if b.PerClass != nil {
		fmt.Fprintf(s.out, "Labels: from %d images per class (80 %% band %d to %d) the forecast is within %g points\n", *b.PerClass, b.PerClassBand80[0], b.PerClassBand80[1], b.Within)
	} else {
		fmt.Fprintf(s.out, "Labels: up to %d images per class the forecast is not within %g points\n", b.Limit, b.Within)
	}
	switch g := b.Balance; {
	case g == nil:
	case g.BreakEven == nil:
		fmt.Fprintf(s.out, "Balance: up to %d images per class labels cost more than they bring\n", b.Limit)
	default:
		fmt.Fprintf(s.out, "Balance: labels pay from %d to %d images per class; best is %d (80 %% band %d to %d), net value %.4g\n", g.BreakEven[0], g.BreakEven[1], g.Best, g.BestBand80[0], g.BestBand80[1], g.Net)
	}
}

// thresholds is what forecast --thresholds prints as JSON.
type thresholds struct {
	Schema      int                     `json:"schema"`
	Calibration forecast.CalibrationRef `json:"calibration"`
	Model       string                  `json:"model"`
	MinGain     float64                 `json:"min_gain"`
	Thresholds  []forecast.Threshold    `json:"thresholds"`
}

func (o *forecastOptions) printThresholds(s *streams) error {
	c, err := o.open()
	if err != nil {
		return err
	}
	r := thresholds{forecast.Schema, c.Ref(), o.query.Model, o.policy.MinGain, nil}
	methods := o.query.Methods
	if methods == nil {
		methods = c.Methods
	}
	for _, method := range methods {
		list, err := c.Thresholds(o.query.Model, method, []float64{.1, .3, .5, .7, .9}, o.policy.MinGain)
		if err != nil {
			return err
		}
		r.Thresholds = append(r.Thresholds, list...)
	}
	if o.json {
		return s.json(r)
	}
	fmt.Fprintf(s.out, "%s, calibration %s: probe accuracies at which a gain of %g points is forecast\n\n", r.Model, c.Name, r.MinGain)
	rows := [][]string{{"method", "zero-shot", "hopeless below", "likely from", "sure from"}}
	cell := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf("%.2f", *v)
	}
	for _, t := range r.Thresholds {
		rows = append(rows, []string{t.Method, fmt.Sprintf("%.1f", t.ZeroShotAccuracy), cell(t.Hopeless), cell(t.Likely), cell(t.Sure)})
	}
	printColumns(s, rows)
	fmt.Fprintln(s.out, wrap("Hopeless and sure are by the 80 % interval; - is nowhere in the range of the calibration.", 88))
	return nil
}

// judgedTable is what forecast --table prints as JSON.
type judgedTable struct {
	Schema      int                     `json:"schema"`
	Calibration forecast.CalibrationRef `json:"calibration"`
	Statement   string                  `json:"statement"`
	Scores      []forecast.Score        `json:"scores"`
}

// judge says how good forecasts are.
func (o *forecastOptions) judge(ctx context.Context, s *streams) error {
	c, err := o.tabled(s)
	if err != nil {
		return err
	}
	scores, err := c.Evaluate(ctx, s.progress())
	if err != nil {
		return err
	}
	if o.markdown != "" {
		var b bytes.Buffer
		if err := forecast.WriteMarkdown(&b, scores); err != nil {
			return err
		}
		if err := store.WriteFile(o.markdown, b.Bytes()); err != nil {
			return err
		}
	}
	if o.json {
		return s.json(judgedTable{forecast.Schema, c.Ref(), forecast.Statement(scores), scores})
	}
	for _, t := range forecast.Tables(scores) {
		fmt.Fprintln(s.out, wrap(t.Title, 88))
		printColumns(s, t.Rows)
		fmt.Fprintln(s.out)
	}
	fmt.Fprint(s.out, forecast.Statement(scores))
	return nil
}

// tabled opens what --table names.
func (o *forecastOptions) tabled(s *streams) (*forecast.Calibration, error) {
	for _, c := range forecast.Shipped() {
		if c.Name == o.table {
			return forecast.New(c.Name, c.Source, c.Observations, c.Retained, forecast.Options{Pooled: c.Pooled || o.Pooled, ByDomain: c.ByDomain || o.ByDomain})
		}
	}
	c, failed, err := calibrate.Open(o.table, "table", "", o.Options)
	if failed > 0 {
		s.warnf("failed runs left out: %d", failed)
	}
	return c, err
}
