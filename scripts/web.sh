#!/usr/bin/env bash
# Builds the pages that the binary embeds, where a source is newer than what was built. Needs npm (Node 20 or newer).
#
#   scripts/web.sh          build
#   scripts/web.sh check    and check types
set -euo pipefail
cd "$(dirname "$0")/../web"

command -v npm >/dev/null || {
  echo "npm is needed to build the pages: install Node 20 or newer. Without it the binary has no pages, and says so." >&2
  exit 1
}
# npm writes this file last, so it is there only after a complete installation.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  echo "Fetching what builds the pages, once …"
  npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
  touch "$installed"
fi

# The compilers come as a package per system, so no install script has to run. The console's types of the API are made of the OpenAPI document.
sources=(build.mjs generate.mjs package-lock.json tsconfig.base.json client/src home join console ../api/openapi.yaml)
if [ ! -e dist/console.html ] || [ -n "$(find "${sources[@]}" -name node_modules -prune -o -type f ! -name '*.gen.ts' -newer dist/console.html -print -quit)" ]; then
  echo "Building the pages …"
  node build.mjs
  touch dist/console.html
fi
if [ "${1:-}" = check ]; then npm run --silent check; fi
