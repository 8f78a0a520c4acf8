// Package experiment does what the paper did: it measures a model on tasks
// before tuning, tunes it on each task by each method and seed, and measures
// gain on the task and forgetting on the others. Finished runs are lines of an
// append-only ledger and are never done again; several processes may divide them.
package experiment

// Schema is the version of Run's JSON form.
const Schema = 1

// Run is one line of a ledger: one model tuned by one method on one task with
// one seed, and what was measured before and after.
//
// Accuracies and ScaledGain are in [0,1]; Gain and Forgetting are in points.
// Forgetting is positive when the model got worse; it is nil, as ScaledGain at
// zero-shot accuracy 1, where it is not defined.
type Run struct {
	Schema   int    `json:"schema"`
	RunID    string `json:"run_id"` // hash of everything that determines the run
	Protocol string `json:"protocol"`
	Model    string `json:"model"`
	Method   string `json:"method"`
	Task     string `json:"task"`
	Group    string `json:"group"`  // distance from the pretraining captions
	Domain   string `json:"domain"` // tasks of one domain share the law of their images
	Seed     int    `json:"seed"`
	// Settings are the hyper-parameters of the method, as JSON reads them.
	Settings map[string]any `json:"settings,omitempty"`

	NTrain  int `json:"n_train"`
	NTest   int `json:"n_test"`
	Classes int `json:"classes"`

	ZeroShotAccuracy float64  `json:"zero_shot_accuracy"`
	Accuracy         float64  `json:"accuracy"`
	Gain             float64  `json:"gain"`
	ScaledGain       *float64 `json:"scaled_gain"`
	Forgetting       *float64 `json:"forgetting"` // mean over OffTarget of 100*(before-after)
	// RelativeForgetting is the mean over OffTarget of (before-after)/before, tasks with before = 0 left out.
	RelativeForgetting *float64 `json:"relative_forgetting"`
	// OffTarget holds accuracy before and after tuning of every other task.
	OffTarget map[string][2]float64 `json:"off_target"`

	// Predictors, measured on the training part before tuning.
	IIMM            float64  `json:"iimm"`
	Inter           float64  `json:"inter"`
	Intra           float64  `json:"intra"`
	Alignment       float64  `json:"alignment"`
	InterByClass    *float64 `json:"inter_by_class"`
	IntraText       float64  `json:"intra_text"`
	ModalityGap     float64  `json:"modality_gap"`
	ProbeCVAccuracy float64  `json:"probe_cv_accuracy"`

	Seconds      float64            `json:"seconds"`
	PhaseSeconds map[string]float64 `json:"phase_seconds,omitempty"`
	// PeakMemory is the most memory that the process held in RAM during the run,
	// in bytes, without that of a GPU; where the system cannot tell, as outside
	// Linux, since the process began. 0: not known.
	PeakMemory int64             `json:"peak_memory_bytes,omitempty"`
	Backend    string            `json:"backend"`
	Hashes     map[string]string `json:"hashes"` // model, task, off_target, config
	// Error is set, and the measured fields meaningless, when the run failed.
	Error string `json:"error,omitempty"`
}
