#!/usr/bin/env bash
# Runs the tests of a folder's JavaScript. Under CI=true a skipped test is a failure, as in test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp)
trap 'rm -f "$out"' EXIT
node --test --test-reporter=tap "$1" >"$out" || { cat "$out" >&2; exit 1; }
grep -E '^# (tests|pass|fail|skipped) ' "$out"
if [ "${CI:-}" = true ]; then
  grep -q '^# skipped 0$' "$out" || { echo "Skipped under CI=true, where nothing may be." >&2; exit 1; }
  grep -qE '^# pass [1-9]' "$out" || { echo "No test ran in $1." >&2; exit 1; }
fi
