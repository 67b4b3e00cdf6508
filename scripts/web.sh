#!/usr/bin/env bash
# Builds the pages that the binary embeds, where a source is newer than what was built. Needs npm (Node 20 or newer).
#
#   scripts/web.sh          build
#   scripts/web.sh check    and check types
set -euo pipefail
cd "$(dirname "$0")/../web"

command -v npm >/dev/null || {
  echo "npm is needed to build the join page: install Node 20 or newer. Without it the binary has no pages, and says so." >&2
  exit 1
}
# npm writes this file last, so it is there only after a complete installation.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  echo "Fetching what builds the pages, once …"
  npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
  touch "$installed"
fi

# esbuild brings its compiler as a package per system, so no install script has to run.
if [ ! -e dist/join.html ] || [ -n "$(find build.mjs package-lock.json client/src home join -newer dist/join.html -print -quit)" ]; then
  echo "Building the join page …"
  node build.mjs
  touch dist/join.html
fi
if [ "${1:-}" = check ]; then npm run --silent check; fi
