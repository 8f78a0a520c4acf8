package correlation

import "encoding/json"

// Schema is the version of Report's JSON form.
const Schema = 1

// Report is what the runs of a ledger tell, by protocol, model and method. What
// is not defined is nil and null in JSON. Intervals are 95 % bootstrap intervals
// over tasks; p values are two-sided and, but for those called adjusted, not
// adjusted for their number.
type Report struct {
	Schema int `json:"schema"`
	// Statement says in plain words how many groups and tests there are, what is
	// left of them after adjustment and what the groups come to together.
	Statement string `json:"statement"`
	// Runs counts the runs that were analysed; Failed those with an error, Repeated
	// copies of a run, both left out.
	Runs     int `json:"runs"`
	Failed   int `json:"failed"`
	Repeated int `json:"repeated"`
	// Bootstrap is the number of resamples behind each interval, drawn by Seed.
	Bootstrap int    `json:"bootstrap"`
	Seed      uint64 `json:"seed"`
	// Permutations is the number of orders behind each p_permutation, all orders
	// where there are no more.
	Permutations int `json:"permutations"`
	// Tests counts the correlations r of all groups that have a p.
	Tests  int      `json:"tests"`
	Groups []Group  `json:"groups"`
	Pooled []Pooled `json:"pooled"`
}

// Group is the analysis of the runs of one protocol, model and method. Seeds of
// a task are averaged first: the unit is the task.
type Group struct {
	Protocol string `json:"protocol"`
	Model    string `json:"model"`
	Method   string `json:"method"`
	N        int    `json:"n"`
	Domains  int    `json:"domains"`
	Seeds    []int  `json:"seeds"`
	// SeedSD is the standard deviation between seeds of one task, pooled over tasks,
	// in points; null with one seed.
	SeedSD       SeedSD        `json:"seed_sd"`
	Statement    string        `json:"statement"`
	Notes        []string      `json:"notes"`
	Correlations []Correlation `json:"correlations"`
	LeaveOneOut  []Forecast    `json:"leave_one_out"`
	Subsets      []Spread      `json:"subsets"`
	Tasks        []Task        `json:"tasks"`
}

// SeedSD is the noise between seeds, in points.
type SeedSD struct {
	Gain       *float64 `json:"gain"`
	Forgetting *float64 `json:"forgetting"`
}

// Correlation says how a predictor goes together with a target over N tasks:
// Pearson's r, Spearman's rho, Kendall's tau-b, each with p value and interval.
type Correlation struct {
	Predictor string   `json:"predictor"`
	Target    string   `json:"target"`
	N         int      `json:"n"`
	R         *float64 `json:"r"`
	P         *float64 `json:"p"`
	// PHolm and PBH are P adjusted by Holm and by Benjamini and Hochberg for all
	// Tests of the report. Groups that share tasks repeat each other: Holm's is then
	// larger than it need be.
	PHolm *float64 `json:"p_holm"`
	PBH   *float64 `json:"p_bh"`
	// PPermutation is r's p value by permuting tasks, which needs no normal law.
	PPermutation *float64  `json:"p_permutation"`
	CI95         *Interval `json:"ci95"`
	// CI95ByDomain is the interval of r when whole domains are resampled instead of
	// tasks; null where every task has a domain of its own or fewer than four domains exist.
	CI95ByDomain *Interval `json:"ci95_by_domain"`
	Rho          *float64  `json:"rho"`
	RhoP         *float64  `json:"rho_p"`
	RhoCI95      *Interval `json:"rho_ci95"`
	Tau          *float64  `json:"tau"`
	TauP         *float64  `json:"tau_p"`
	TauCI95      *Interval `json:"tau_ci95"`
	// PartialR is r given zero-shot error; null for zero-shot error itself.
	PartialR    *float64  `json:"partial_r"`
	PartialP    *float64  `json:"partial_p"`
	PartialCI95 *Interval `json:"partial_ci95"`
	// Excess is |r| minus |r of zero-shot error| on the same tasks, in [-1,1]; null for zero-shot error itself.
	Excess     *float64  `json:"abs_r_minus_zero_shot_error"`
	ExcessCI95 *Interval `json:"abs_r_minus_zero_shot_error_ci95"`
	// ExcessP is Williams' p of Excess being zero.
	ExcessP *float64 `json:"abs_r_minus_zero_shot_error_p"`
	// MostInfluential is the task without which r changes most; null for
	// fewer than four tasks and where r is not defined or 1.
	MostInfluential *Left `json:"most_influential"`
	// Line is the least-squares line of the target on the predictor.
	Line *Line  `json:"line"`
	Note string `json:"note,omitempty"`
}

// Left is a task left out, and the correlation of the others: nil where not defined.
type Left struct {
	Task     string   `json:"task"`
	RWithout *float64 `json:"r_without"`
}

// Forecast says how far off a target is forecast for a task that was left out,
// by the least-squares fit on Predictors through the other tasks. Errors are in points.
type Forecast struct {
	// Predictors is empty for the mean of the other tasks.
	Predictors []string `json:"predictors"`
	Target     string   `json:"target"`
	N          int      `json:"n"`
	// Error is the mean absolute error.
	Error     *float64  `json:"mean_absolute_error"`
	ErrorCI95 *Interval `json:"ci95"`
	// ErrorByDomain leaves out all tasks of the task's domain together; null where
	// every task has a domain of its own.
	ErrorByDomain *float64 `json:"mean_absolute_error_by_domain"`
	// Reduction is how much smaller Error is than that of the mean of the other tasks.
	Reduction     *float64  `json:"reduction"`
	ReductionCI95 *Interval `json:"reduction_ci95"`
}

// Correlation returns the entry of a predictor and target, nil when there is none.
func (g *Group) Correlation(predictor, target string) *Correlation {
	for i, c := range g.Correlations {
		if c.Predictor == predictor && c.Target == target {
			return &g.Correlations[i]
		}
	}
	return nil
}

// Subset returns the spread of a predictor and target, nil when there is none.
func (g *Group) Subset(predictor, target string) *Spread {
	for i, s := range g.Subsets {
		if s.Predictor == predictor && s.Target == target {
			return &g.Subsets[i]
		}
	}
	return nil
}

// Pairs returns the tasks for which both are defined, with their values, in the
// order of Tasks: the points of a chart.
func (g *Group) Pairs(predictor, target string) (tasks []Task, x, y []float64) {
	for _, t := range g.Tasks {
		a, okA := t.Values[predictor]
		b, okB := t.Values[target]
		if okA && okB {
			tasks = append(tasks, t)
			x = append(x, a)
			y = append(y, b)
		}
	}
	return tasks, x, y
}

// MarshalJSON writes null for a Values entry that is not defined, so that every
// task has the same keys.
func (t Task) MarshalJSON() ([]byte, error) {
	type plain Task
	all := map[string]*float64{}
	for _, name := range append(Predictors(), Targets()...) {
		if v, ok := t.Values[name]; ok {
			all[name] = &v
		} else {
			all[name] = nil
		}
	}
	return json.Marshal(struct {
		plain
		Values map[string]*float64 `json:"values"`
	}{plain(t), all})
}

// UnmarshalJSON leaves out what is null.
func (t *Task) UnmarshalJSON(b []byte) error {
	type plain Task
	var read struct {
		plain
		Values map[string]*float64 `json:"values"`
	}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*t = Task(read.plain)
	t.Values = map[string]float64{}
	for name, v := range read.Values {
		if v != nil {
			t.Values[name] = *v
		}
	}
	return nil
}
