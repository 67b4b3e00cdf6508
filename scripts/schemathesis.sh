#!/usr/bin/env bash
# Says where Schemathesis is, which holds the service against its OpenAPI document, and installs it once per version:
# into the user's cache folder, in an environment of its own. Exit code 3: there is no Python to run it.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=cmd/anteroom/testdata/contract/requirements.txt
python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || {
  echo "Schemathesis needs Python 3.10 or newer with venv." >&2
  exit 3
}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/anteroom
place=$cache/schemathesis-$(python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.version.encode() + open(sys.argv[1], "rb").read()).hexdigest()[:16])' $requirements)
if [ ! -e "$place" ]; then
  echo "Fetching Schemathesis, once …" >&2
  mkdir -p "$cache"
  made=$(mktemp -d "$place.XXXXXX")
  trap 'rm -rf "$made"' ERR INT TERM
  python3 -m venv "$made"
  "$made/bin/pip" install --quiet --disable-pip-version-check --no-input --only-binary :all: --requirement $requirements >&2
  # A link appears at once and whole; whoever is second keeps the first one's.
  ln -s "$(basename "$made")" "$place" 2>/dev/null || rm -rf "$made"
  trap - ERR INT TERM
fi
echo "$place/bin/schemathesis"
