package transferability

import "fmt"

// Need is a part of an Input that not every user has.
type Need string

// The parts that some scores need beside images and labels.
const (
	None            Need = ""
	Texts           Need = "caption embeddings"
	Source          Need = "probabilities of a source model"
	LabelEmbeddings Need = "label embeddings of language models"
)

// Missing is the error of a score that lacks what it needs.
type Missing struct{ Need Need }

func (m Missing) Error() string { return fmt.Sprintf("needs %s", m.Need) }
