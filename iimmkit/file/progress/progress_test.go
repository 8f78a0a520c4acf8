package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLineSaysHowFarItIs(t *testing.T) {
	for want, got := range map[string]string{
		"tune [==========          ] 2/4  5.0 s each, 10 s left  now": Line("tune", "now", 2, 4, 10*time.Second, ByRate, false),
		"tune [                    ] 0/4  now":                        Line("tune", "now", 0, 4, 10*time.Second, ByRate, false),
		"tune [====================] 4/4  2.0/s, took 2.0 s":          Line("tune", "now", 4, 4, 2*time.Second, ByRate, true),
		"read 30  15/s": Line("read", "", 30, 0, 2*time.Second, ByRate, false),
		"tune [                    ] 0/4  3 min 20 s left":  Line("tune", "", 0, 4, time.Second, 200*time.Second, false),
		"tune [=====               ] 1/4  1.0/s, 12 s left": Line("tune", "", 1, 4, time.Second, 12*time.Second, false),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLogTellsWhatIsSaidAndExpected(t *testing.T) {
	var log bytes.Buffer
	r := To(&log)
	Say(r, "about 3 min")
	b := r.Start("tune", 2)
	Expect(b, 5*time.Minute)
	b.(*bar).draw(true)
	b.Add(2)
	b.Done()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 4 || lines[0] != "about 3 min" || !strings.Contains(lines[2], "4 min 59 s left") || !strings.Contains(lines[3], "2/2") {
		t.Errorf("%q", lines)
	}
	// Reporters and bars that know nothing of it.
	Say(Discard, "about 3 min")
	Expect(Discard.Start("tune", 2), time.Minute)
}
