#!/usr/bin/env bash
# Kills and disturbs everything for long, and prints one table of what was done and what came of it. Fails if a test does.
#
#   scripts/torture.sh TIME KILLS    how long all processes are killed together (20m), and how often parts are killed by themselves (30)
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20m} kills=${2:-30}
log=$(mktemp)
trap 'rm -f "$log" "$log.failed"' EXIT

run() { # package, tests, and what they are told by their environment
  local package=$1 tests=$2
  shift 2
  echo "== $package: $tests"
  { env "$@" go test -count=1 -timeout 3h -v -run "$tests" "$package" 2>&1 || touch "$log.failed"; } | tee -a "$log" | grep -E '^(---|ok|FAIL)' || true
}

run ./cmd/anteroom '^(TestTorture|TestParted)$' ANTEROOM_TEST_TORTURE="$time"
run ./ingest 'Killed|ThatAreCut|StandStill|ThatIsFull' ANTEROOM_TEST_KILLS="$kills"
run ./retention 'AKilledSweepGoesOn|AKilledClickHouse|ClocksThatJump' ANTEROOM_TEST_SWEEP_KILLS="$kills"
run ./retention/ledger 'MayBeKilled|MayFail|AFullDisk' ANTEROOM_TEST_SYSCALLS=all
run ./sealing 'Kill'
run ./internal/recorder 'ThatIsFull|KafkaAway'
run ./cmd/anteroom '^Test(KilledAtAnyMoment|LogsAreKilledAtAnyMoment)$' ANTEROOM_TEST_KILLS="$kills"

printf '\n| test | | seconds | |\n|---|---|---|---|\n'
# Of each test the last line that it logged, which says what it has counted.
awk '
  /^=== RUN/ { said = "" }
  /^ +[a-z_]+_test\.go:[0-9]+: / { said = $0; sub(/^ +[a-z_]+_test\.go:[0-9]+: /, "", said) }
  /^--- (PASS|FAIL|SKIP)/ { gsub(/[()s]/, "", $4); printf "| `%s` | %s | %.0f | %s |\n", $3, tolower(substr($2, 1, 4)), $4, said; said = "" }
' "$log"
[ ! -e "$log.failed" ] # the others are run all the same
