package store

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestUpdatesOfManyAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "list")
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := Update(path, func(data []byte) ([]byte, error) { return append(data, 'x'), nil }); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if data, err := os.ReadFile(path); err != nil || len(data) != 20 {
		t.Errorf("%d of 20 updates are there: %v", len(data), err)
	}
	refused := errors.New("no")
	if err := Update(path, func([]byte) ([]byte, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || len(data) != 20 {
		t.Errorf("a refused update left %d bytes: %v", len(data), err)
	}
}
