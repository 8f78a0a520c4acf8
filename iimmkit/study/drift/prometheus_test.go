package drift

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPrometheusText(t *testing.T) {
	set := drawnSet(1, 100)
	c := compare(t, set, drawn(rand.New(rand.NewPCG(1, 3)), 60, 12, 1.5), Options{})
	var b strings.Builder
	if err := c.Prometheus(&b, `parts "A"`, "line\n\\2", time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	// A line is a comment of a family or a sample of the family announced last.
	sample := regexp.MustCompile(`^(iimm_watch_[a-z_]+)\{([a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*)\} (-?[0-9.]+(?:e[+-][0-9]+)?)$`)
	family, seen, samples := "", map[string]bool{}, map[string]string{}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			family, _, _ = strings.Cut(rest, " ")
			if seen[family] {
				t.Errorf("family %s comes twice", family)
			}
			seen[family] = true
			continue
		}
		if line == "# TYPE "+family+" gauge" {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != family {
			t.Errorf("family %s, line %q", family, line)
			continue
		}
		key := m[1] + "{" + m[2] + "}"
		if _, twice := samples[key]; twice {
			t.Errorf("series %s comes twice", key)
		}
		samples[key] = m[3]
	}
	both := `reference="parts \"A\"",batch="line\n\\2"`
	for key, want := range map[string]string{
		"alarm{" + both + "}":                      "1",
		"reassess{" + both + "}":                   "1",
		"p_value{" + both + "}":                    "0.001",
		"test_p_value{" + both + `,test="mmd"}`:    "0.001",
		"images{" + both + `,part="batch"}`:        "60",
		"last_run_timestamp_seconds{" + both + "}": "1.7e+09",
		"level{" + both + "}":                      "0.01",
	} {
		if got := samples["iimm_watch_"+key]; got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if len(samples) != 6+2*tests+5 {
		t.Errorf("%d series:\n%s", len(samples), b.String())
	}
}
