package storm

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// ReadResult reads what `surefoot storm --out` or --json wrote.
func ReadResult(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read an earlier run: %w", err)
	}
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read an earlier run: %s: %w", path, err)
	}
	if r.Target == "" || r.Begun == 0 {
		return nil, fmt.Errorf("read an earlier run: %s: %w", path, errNoResult)
	}
	return &r, nil
}

var errNoResult = errors.New("not a result of surefoot storm")
