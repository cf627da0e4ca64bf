package cli

import (
	"os"
	"path/filepath"
	"strings"

	"surefoot/internal/chart"
)

// pictureKind is what a file's name says that a picture is to be, "" if nothing that we draw.
func pictureKind(file string) string {
	if kind := strings.ToLower(filepath.Ext(file)); kind == ".svg" || kind == ".png" {
		return kind
	}
	return ""
}

func writePicture(file string, c *chart.Chart) error {
	b := c.SVG()
	if pictureKind(file) == ".png" {
		var err error
		if b, err = c.PNG(); err != nil {
			return err
		}
	}
	return os.WriteFile(file, b, 0o644)
}
