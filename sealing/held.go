package sealing

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Held is how many private keys of a region the folder of a configuration has. Nothing is made, and no key is read.
func Held(cfg Config, region string) (int, error) {
	entries, err := os.ReadDir(filepath.Join(cfg.Dir, region))
	if err != nil {
		return 0, fmt.Errorf("list keys: %w", err)
	}
	held := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), keySuffix) {
			held++
		}
	}
	return held, nil
}
