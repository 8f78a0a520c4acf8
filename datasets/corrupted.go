package datasets

import (
	"fmt"

	"github.com/iimmkit/iimm/datasets/corrupt"
	"github.com/iimmkit/iimm/iimmkit/file/picture"
)

// Corrupted is the images spoiled by corrupt.Apply, when each is asked for. Every
// image has noise of its own, which depends on seed and its number.
func Corrupted(images Images, kind corrupt.Kind, severity int, seed uint64) (Images, error) {
	if err := corrupt.Check(kind, severity); err != nil {
		return nil, err
	}
	return &corrupted{images, kind, severity, seed}, nil
}

type corrupted struct {
	Images
	kind     corrupt.Kind
	severity int
	seed     uint64
}

func (c *corrupted) ID(i int) string {
	return fmt.Sprintf("%s (%s %d)", c.Images.ID(i), c.kind, c.severity)
}

func (c *corrupted) Image(i int) (*picture.RGB, error) {
	p, err := c.Images.Image(i)
	if err != nil {
		return nil, err
	}
	spoiled, err := corrupt.Apply(p, c.kind, c.severity, c.seed+uint64(i)*0x9e3779b97f4a7c15)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.ID(i), err)
	}
	return spoiled, nil
}

// CorruptionSheet draws a picture spoiled in all ways: one row a kind, the
// picture itself first, then its severities. cell is the size of each, as for
// Sheet.
func CorruptionSheet(p *picture.RGB, seed uint64, cell int) (*picture.RGB, error) {
	t := &Task{Name: "corruptions"}
	rows := &pictures{}
	for k, kind := range corrupt.Kinds() {
		t.ClassNames = append(t.ClassNames, string(kind))
		rows.add(p, k)
		for severity := 1; severity <= corrupt.Severities; severity++ {
			spoiled, err := corrupt.Apply(p, kind, severity, seed)
			if err != nil {
				return nil, err
			}
			rows.add(spoiled, k)
		}
	}
	t.Train = rows
	return Sheet(t, SheetOptions{PerClass: 1 + corrupt.Severities, Cell: cell})
}

// pictures are images in memory.
type pictures struct {
	list   []*picture.RGB
	labels []int
}

func (p *pictures) add(m *picture.RGB, label int) {
	p.list, p.labels = append(p.list, m), append(p.labels, label)
}

func (p *pictures) Len() int                          { return len(p.list) }
func (p *pictures) Label(i int) int                   { return p.labels[i] }
func (p *pictures) ID(i int) string                   { return fmt.Sprint(i) }
func (p *pictures) Image(i int) (*picture.RGB, error) { return p.list[i], nil }
