package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/tls/chain"
)

// certificates tells which certificate is that of which server, and when it ends.
func certificates(dir control.Dir, name string, now time.Time) string {
	if name != chain.Folder {
		what := "TLS clients that name no server, or none of tlscerts, get the certificate for "
		switch {
		case name == chain.ClientFile:
			what = "As a TLS client I have the certificate for "
		case chain.Default(dir, chain.All(dir)) != "":
			what = "Not used, since tlscerts has my name. The certificate for "
		}
		return what + describe(chain.Read(filepath.Join(string(dir), name)), now)
	}
	text, list := "\n", chain.All(dir)
	for _, c := range list {
		text += "TLS clients of " + c.Name + " get the certificate for " + describe(c, now)
	}
	if first := chain.Default(dir, list); first != "" {
		text += "Those that name no server, or another, get that of " + first + ".\n"
	}
	return text
}

// soon is when an end is worth a word: what renews certificates does that thirty days before.
const soon = 14 * 24 * time.Hour

func describe(c chain.Chain, now time.Time) string {
	if errors.Is(c.Err, fs.ErrPermission) {
		return "names that root alone may read.\n"
	}
	if c.Err != nil {
		return "nobody.\nOops! Trouble with it: " + safe(c.Err.Error()) + ".\n"
	}
	text := safe(strings.Join(c.Names, ", ")) + ", until " + c.Ends.UTC().Format("2006-01-02 15:04:05 UTC") + ".\n"
	switch left := c.Ends.Sub(now); {
	case left <= 0:
		text += "Oops! It has ended.\n"
	case left < soon:
		text += "Oops! It ends in " + strconv.Itoa(int(left/(24*time.Hour))) + " days.\n"
	}
	return text
}
