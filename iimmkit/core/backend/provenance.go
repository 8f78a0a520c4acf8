package backend

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// Provenance says where an installed plugin comes from. It is written beside
// the plugin, as PLUGIN.json.
type Provenance struct {
	Schema    int    `json:"schema"`
	Source    string `json:"source"`    // who made the file, in words
	Package   string `json:"package"`   // name==version
	URL       string `json:"url"`       // what was downloaded; "" when GoMLX's installer chose
	SHA256    string `json:"sha256"`    // of the download; "unpinned" when its publisher gives none
	Member    string `json:"member"`    // which file of the archive the plugin is
	Plugin    string `json:"plugin"`    // sha256 of the plugin itself
	Installed string `json:"installed"` // when, RFC 3339
}

func (p Provenance) String() string {
	s := p.Package + " from " + p.Source
	if p.SHA256 != "" {
		s += ", sha256 " + p.SHA256
	}
	return s
}

func provenancePath(plugin string) string { return plugin + ".json" }

func readProvenance(plugin string) (Provenance, error) {
	var p Provenance
	data, err := os.ReadFile(provenancePath(plugin))
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("provenance of %s: %w", plugin, err)
	}
	return p, nil
}

func (p Provenance) write(plugin string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(provenancePath(plugin), append(data, '\n'))
}
