#!/usr/bin/env bash
# Installs the Debian packages that the mandatory tests need. Only under CI=true: on somebody's own machine nothing
# is installed, and the tests that lack a tool say so and skip.
set -euo pipefail
[ "${CI:-}" = true ] || { echo "scripts/ci-deps.sh installs packages, and does so under CI=true only." >&2; exit 1; }

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need chromium chromium                # records a real call, and is in one
need firefox-esr firefox-esr          # is in one too
need ffmpeg ffmpeg                    # makes media to record, and reads recordings
need java openjdk-17-jre-headless     # Apache Kafka
need mvn maven                        # fetches Apache Kafka
need strace strace                    # kills between two system calls, and has them fail
need ip iproute2                      # parts a network
need python3 python3                  # runs Schemathesis
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || { echo "Missing: ${missing[*]}, and there is no apt-get to install them with." >&2; exit 1; }
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)
echo "Installing ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update </dev/null >/dev/null
"${as_root[@]}" apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
