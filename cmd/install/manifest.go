package main

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"qmail/conf"
	"qmail/internal/site/hier"
)

// writeManifest lists "mode owner group path" of each entry.
func writeManifest(file string, entries []hier.Entry) error {
	text := []byte{}
	for _, e := range entries {
		text = fmt.Appendf(text, "%04o %s %s %s\n", e.Bits(), e.Owner, e.Group, filepath.Join(conf.Home(), e.Path))
	}
	// Whoever reads it finds the old list or the whole new one.
	return renameio.WriteFile(file, text, 0o644, renameio.WithTempDir(filepath.Dir(file)))
}

// readManifest returns the entries of a manifest. What the tree has by itself is known; the rest are documents.
func readManifest(file string) ([]hier.Entry, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	fixed, err := hier.Tree(embed.FS{})
	if err != nil {
		return nil, err
	}
	known := map[string]hier.Entry{}
	for _, e := range fixed {
		known[e.Path] = e
	}
	var entries []hier.Entry
	for line := range strings.Lines(string(text)) {
		e, err := parseLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if k, ok := known[e.Path]; ok {
			e = k
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func parseLine(line string) (hier.Entry, error) {
	f := strings.Split(line, " ")
	if len(f) != 4 {
		return hier.Entry{}, fmt.Errorf("line %q", line)
	}
	mode, err := strconv.ParseUint(f[0], 8, 12)
	if err != nil {
		return hier.Entry{}, err
	}
	in, err := filepath.Rel(conf.Home(), f[3])
	return hier.Entry{Kind: hier.File, Path: in, Owner: f[1], Group: f[2], Mode: fs.FileMode(mode & 0o777)}, err
}
