//go:build linux

package main

import (
	"os"
	"path/filepath"
)

// countBounces counts what has come back to the sender. A bounce has to be whole, like any mail, and about those
// that fail alone.
func (w *world) countBounces(v *verdict, arrived map[string]map[string]int) error {
	arrived[failsHere], arrived[failsThere] = map[string]int{}, map[string]int{}
	dir := filepath.Join(user(userB).Home, bounces, "new")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		id, kinds := only(b), bounced(b)
		if id == "" || len(kinds) == 0 {
			v.corrupt++
			v.note("corrupt: %s/%s, %d bytes", dir, e.Name(), len(b))
		}
		for _, k := range kinds {
			if k != failsHere && k != failsThere {
				v.bounced++
				v.note("a bounce about %s: %s", k, id)
				continue
			}
			arrived[k][id]++
		}
	}
	return nil
}
