package drift

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Prometheus writes the comparison in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/), for the node
// exporter's textfile collector. All series carry the names given; at is when the
// batch was compared.
func (c *Comparison) Prometheus(w io.Writer, reference, batch string, at time.Time) error {
	var b strings.Builder
	labels := func(extra ...string) string {
		pairs := append([]string{"reference", reference, "batch", batch}, extra...)
		var s []string
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, pairs[i]+`="`+escapeLabel.Replace(pairs[i+1])+`"`)
		}
		return "{" + strings.Join(s, ",") + "}"
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	family := func(name, help string) {
		fmt.Fprintf(&b, "# HELP iimm_watch_%s %s\n# TYPE iimm_watch_%s gauge\n", name, help, name)
	}
	single := func(name, help string, v float64) {
		family(name, help)
		fmt.Fprintf(&b, "iimm_watch_%s%s %s\n", name, labels(), number(v))
	}
	byTest := func(name, help string, value func(Test) float64) {
		family(name, help)
		for _, t := range c.Tests {
			fmt.Fprintf(&b, "iimm_watch_%s%s %s\n", name, labels("test", t.Name), number(value(t)))
		}
	}
	single("alarm", "1 when the batch differs from the reference.", flag(c.Alarm))
	single("reassess", "1 when forecasts made from the reference should be made anew.", flag(c.Reassess))
	single("p_value", "Probability of a batch as different as this, of all tests together, if nothing changed.", c.P)
	single("level", "Probability of a false alarm of all tests together.", c.Level)
	byTest("statistic", "Statistic of a test.", func(t Test) float64 { return t.Statistic })
	byTest("test_p_value", "Probability of a test, adjusted for there being several.", func(t Test) float64 { return t.AdjustedP })
	if f := c.FalseAlarms; f != nil {
		single("false_alarm_rate", "Rate of alarms among batches drawn from the reference.", f.Rate)
	}
	family("images", "Number of images.")
	fmt.Fprintf(&b, "iimm_watch_images%s %d\n", labels("part", "reference"), c.Reference.N)
	fmt.Fprintf(&b, "iimm_watch_images%s %d\n", labels("part", "batch"), c.Batch.N)
	family("iimm", "Inter-Intra Modal Measure with the classes of the most similar captions.")
	fmt.Fprintf(&b, "iimm_watch_iimm%s %s\n", labels("part", "reference"), number(c.Measure.Reference.IIMM))
	fmt.Fprintf(&b, "iimm_watch_iimm%s %s\n", labels("part", "batch"), number(c.Measure.Batch.IIMM))
	fmt.Fprintf(&b, "iimm_watch_iimm%s %s\n", labels("part", "all"), number(c.Measure.All.IIMM))
	single("last_run_timestamp_seconds", "When the batch was compared, in seconds since 1970.", float64(at.Unix()))
	_, err := io.WriteString(w, b.String())
	return err
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
