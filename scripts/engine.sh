#!/usr/bin/env bash
# Fetches the embedded ClickHouse engine where it is missing or older than the lockfile.
#
#   scripts/engine.sh          fetch only, as the tests need
#   scripts/engine.sh FOLDER   and put libchdb.so there (a hard link where the file system allows one)
#
# FOLDER is relative to the repository. ANTEROOM_CHDB, when set, names a library that is at hand: nothing is fetched then.
set -euo pipefail
cd "$(dirname "$0")/.."

package=internal/embedded
library=${ANTEROOM_CHDB:-}
if [ -z "$library" ]; then
  # npm writes this file last, so it is there only after a complete installation.
  installed=$package/node_modules/.package-lock.json
  if [ ! -e "$installed" ] || [ "$package/package-lock.json" -nt "$installed" ]; then
    command -v npm >/dev/null || {
      echo "npm is needed to fetch the ClickHouse engine: install Node 20 or newer, or name a libchdb.so in ANTEROOM_CHDB." >&2
      exit 1
    }
    echo "Fetching the ClickHouse engine (170 MB, 570 MB on disk), once …"
    (cd $package && npm ci --no-audit --no-fund --loglevel=error)
    touch "$installed"
  fi
  library=$(find $package/node_modules -name libchdb.so -print -quit)
  if [ -z "$library" ]; then
    echo "There is no embedded ClickHouse engine for this system: put a clickhouse program on the PATH." >&2
    exit 0
  fi
fi

[ $# -eq 1 ] || exit 0
mkdir -p "$1"
target=$1/libchdb.so
if [ "$target" -ef "$library" ] || [ "$target" -nt "$library" ]; then exit 0; fi
if ! ln -f "$library" "$target" 2>/dev/null; then
  echo "Copying the ClickHouse engine to $1 …"
  cp "$library" "$target.part" # an interrupted copy must not look like a whole one
  mv "$target.part" "$target"
fi
