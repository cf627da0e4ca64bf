package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
)

// hashTree reads every file of a tree.
func hashTree(ctx context.Context, root *os.Root, list []part, c *counter) ([]Item, error) {
	var items []Item
	for _, p := range list {
		if !p.isFile() {
			continue
		}
		hash, n, err := hashFile(ctx, root, p.name, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, plain(err))
		}
		items = append(items, Item{Name: p.name, Size: n, SHA256: hash})
	}
	links, err := linkItems(ctx, root, ".", list)
	items = append(items, links...)
	sortItems(items)
	return items, err
}

func hashFile(ctx context.Context, root *os.Root, name string, c *counter) (string, int64, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := pour(ctx, h, f, c)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// linkItems reads what the links of a tree lead to: clients ask for files by those names as well.
func linkItems(ctx context.Context, root *os.Root, tree string, list []part) ([]Item, error) {
	var items []Item
	for _, p := range list {
		if !p.isLink() {
			continue
		}
		it := Item{Name: p.name, Link: p.link}
		fi, err := root.Stat(path.Join(tree, p.name))
		if err == nil && !fi.IsDir() {
			it.SHA256, it.Size, err = hashFile(ctx, root, path.Join(tree, p.name), &counter{})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, plain(err))
		}
		items = append(items, it)
	}
	return items, nil
}
