package reproduce

import (
	"slices"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/study/experiment"
)

func TestFullProtocolTunesOnAllTasksAndRetainsTheSame(t *testing.T) {
	specs := Complete(experiment.Spec{Protocol: "full", RealDir: "there"})
	if len(specs) != 2*len(Models("full")) {
		t.Fatalf("%d specs", len(specs))
	}
	for k := 0; k < len(specs); k += 2 {
		first, second := specs[k], specs[k+1]
		if first.Model != second.Model || len(first.Methods) != 6 || first.Retain != nil || !slices.Equal(second.Retain, first.Tasks) {
			t.Errorf("%+v and %+v", first, second)
		}
		all := append(slices.Clone(first.Tasks), second.Tasks...)
		slices.Sort(all)
		want := Tasks("standard", "there")
		slices.Sort(want)
		if !slices.Equal(all, want) {
			t.Errorf("tunes on %v, there are %v", all, want)
		}
	}
	if one := Complete(experiment.Spec{Protocol: "full", Model: "m", Tasks: []string{"a", "b"}}); len(one) != 1 || len(one[0].Tasks) != 2 {
		t.Errorf("tasks that are asked for: %+v", one)
	}
}
