#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh 5s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:?say how long each target runs, as in 5s}

targets=$(git grep -hoE --untracked '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | wc -l)
[ "$targets" -gt 0 ] || { echo "There are no fuzz targets."; exit 0; }
git grep -loE --untracked '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | while read -r file; do
  package=./$(dirname "$file")
  grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | while read -r _ target; do
    echo "Fuzzing $target in $package for $time …"
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" </dev/null
  done
done
