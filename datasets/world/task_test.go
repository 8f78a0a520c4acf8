package world

import (
	"math"
	"slices"
	"testing"
)

func taskNamed(t *testing.T, name string) Task {
	t.Helper()
	list := Tasks()
	i := slices.IndexFunc(list, func(x Task) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("no task %s", name)
	}
	return list[i]
}

func TestDrawBeginsAlikeAndBalancesClasses(t *testing.T) {
	for _, task := range Tasks() {
		classes := len(task.ClassNames)
		small, smallLabels := task.Draw(Test, 5, 17)
		large, largeLabels := task.Draw(Test, 5, 3*classes)
		n := min(17, 3*classes)
		if !slices.Equal(small[:n*Bytes], large[:n*Bytes]) || !slices.Equal(smallLabels[:n], largeLabels[:n]) {
			t.Errorf("%s: a smaller draw is not the beginning of a larger one", task.Name)
		}
		count := make([]int, classes)
		for _, k := range largeLabels {
			count[k]++
		}
		if slices.Min(count) != 3 || slices.Max(count) != 3 {
			t.Errorf("%s: classes occur %v times, want 3", task.Name, count)
		}
		train, _ := task.Draw(Train, 5, 17)
		if slices.Equal(train, small) {
			t.Errorf("%s: the splits are equal", task.Name)
		}
	}
}

// The object of task position lies where its class says: the mean place of
// what differs from the border's colour.
func TestPositionIsWhereTheCaptionSays(t *testing.T) {
	task := taskNamed(t, "position")
	images, labels := task.Draw(Train, 0, 300)
	right := 0
	for i, label := range labels {
		p := images[i*Bytes : (i+1)*Bytes]
		var border [3]float64
		for j := range Size {
			for k := range 3 {
				border[k] += float64(p[3*j+k]) + float64(p[3*((Size-1)*Size+j)+k])
			}
		}
		var x, y, sum float64
		for j := range pixels {
			var d float64
			for k := range 3 {
				d += math.Abs(float64(p[3*j+k]) - border[k]/(2*Size))
			}
			d = math.Max(d-60, 0)
			x, y, sum = x+d*at(j%Size), y+d*at(j/Size), sum+d
		}
		if sum == 0 {
			continue
		}
		x, y = x/sum, y/sum
		best, nearest := -1, math.Inf(1)
		for k, q := range []point{{-.3, 0}, {.3, 0}, {0, -.3}, {0, .3}, {0, 0}} {
			if d := math.Hypot(x-q.x, y-q.y); d < nearest {
				best, nearest = k, d
			}
		}
		if best == label {
			right++
		}
	}
	if right < 250 {
		t.Errorf("the object lies as the class says in %d of 300 pictures", right)
	}
}

func TestColoursAreWhatTheyAreCalled(t *testing.T) {
	for _, tt := range []struct {
		name          string
		wantR, wantGB bool
	}{{"red", true, false}, {"blue", false, true}, {"white", true, true}} {
		task := taskNamed(t, "bgcolour")
		images, labels := task.Draw(Train, 0, 400)
		var r, b, n float64
		for i, k := range labels {
			if task.ClassNames[k] != tt.name {
				continue
			}
			r, b, n = r+float64(images[i*Bytes]), b+float64(images[i*Bytes+2]), n+1 // the left top pixel is background
		}
		// most backgrounds are dimmed to 30 %
		bright := func(v float64) bool { return v/n > 60 }
		if bright(r) != tt.wantR || bright(b) != tt.wantGB {
			t.Errorf("%s backgrounds have mean red %.0f and blue %.0f", tt.name, r/n, b/n)
		}
	}
}

func TestShiftsDoWhatTheySay(t *testing.T) {
	for _, name := range []string{"aerial-gray", "shape-gray"} {
		task := taskNamed(t, name)
		images, _ := task.Draw(Train, 0, 20)
		for i := 0; i < len(images); i += 3 {
			if images[i] != images[i+1] || images[i] != images[i+2] {
				t.Fatalf("%s: sample %d is coloured", name, i)
			}
		}
	}
	mean := func(name string) float64 {
		task := taskNamed(t, name)
		images, _ := task.Draw(Train, 0, 200)
		sum := 0.0
		for _, v := range images {
			sum += float64(v)
		}
		return sum / float64(len(images))
	}
	if d := mean("shape-invert") + mean("shape"); d < 200 || d > 310 {
		t.Errorf("a picture and a negative add up to %.0f in the mean, want about 255", d)
	}
	// Blurring and fading take contrast away.
	contrast := func(name string) float64 {
		task := taskNamed(t, name)
		images, _ := task.Draw(Train, 0, 100)
		sum := 0.0
		for i := 3; i < len(images); i++ {
			sum += math.Abs(float64(images[i]) - float64(images[i-3]))
		}
		return sum / float64(len(images))
	}
	if a, b := contrast("defect-blur"), contrast("defect"); a > b/3 {
		t.Errorf("defect-blur has contrast %.1f, defect %.1f", a, b)
	}
	if a, b := contrast("shape-noise"), contrast("shape"); a < 3*b {
		t.Errorf("shape-noise has contrast %.1f, shape %.1f", a, b)
	}
}
