package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// allowed are the licences that what is shipped may have, by SPDX's names: those that ask for a notice only, and MPL-2.0, which asks for its own files' source.
func allowed() []string {
	return []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "(MIT OR CC0-1.0)", "MPL-2.0", "Unlicense", "Zlib"}
}

// allowedForBuilding are those that what only builds and tests may have besides.
func allowedForBuilding() []string { return []string{"Python-2.0"} }

// undeclared are the licences of npm packages whose lock files don't say.
func undeclared() map[string]string { return map[string]string{"@jitsi/logger": "Apache-2.0"} }

// marks are words that a licence's text has and no other's, the more particular ones first.
func marks() []struct{ licence, words string } {
	return []struct{ licence, words string }{
		{"Apache-2.0", "Apache License Version 2.0"},
		{"Apache-2.0", "Licensed under the Apache License"},
		{"MPL-2.0", "Mozilla Public License Version 2.0"},
		{"MPL-2.0", "Mozilla Public License, version 2.0"},
		{"BSD-3-Clause", "may be used to endorse or promote products derived"},
		{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
		{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose with or without fee"},
		{"MIT", "Permission is hereby granted, free of charge"},
		{"CC0-1.0", "CC0 1.0 Universal"},
		{"Unlicense", "This is free and unencumbered software"},
	}
}

// licenceOf reads the licence of a module's folder.
func licenceOf(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("look for a licence: %w", err)
	}
	for _, prefix := range []string{"license", "licence", "copying", "unlicense"} {
		i := slices.IndexFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() && strings.HasPrefix(strings.ToLower(e.Name()), prefix) })
		if i < 0 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entries[i].Name()))
		if err != nil {
			return "", fmt.Errorf("read licence: %w", err)
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, mark := range marks() {
			if strings.Contains(words, mark.words) {
				return mark.licence, nil
			}
		}
		return "", fmt.Errorf("the licence in %s is none that is known", entries[i].Name())
	}
	if parent := filepath.Dir(dir); strings.Contains(filepath.Base(parent), "@") { // a module within a repository's
		return licenceOf(parent)
	}
	return "", errors.New("there is no licence")
}
