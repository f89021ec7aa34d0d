#!/bin/bash
# All tests, quick ones first: style and types, unit, rules, browser, a real Elasticsearch, then a lab of its own
# (beside any running one) for everything that needs machines. tests/run.sh [lab] runs the last part alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export CANH_LAB=${CANH_TEST_LAB:-test} CANH_DATA=$PWD/var/test CANH_CONSOLE_PORT=${CANH_TEST_PORT:-8543}
unset PYTHONDONTWRITEBYTECODE # real processes are started by the hundred: not to be compiled anew each time
canh=.venv/bin/canh
step() { printf '\n== %s (%s s since start)\n' "$1" "$SECONDS"; }

if [ "${1:-all}" = all ]; then
    step "format, lint, types, import directions"
    make --no-print-directory check
    step "rules: lint and cases"
    $canh rules check
    $canh rules test
    step "unit tests"
    make --no-print-directory unit
    step "browser tests"
    .venv/bin/pytest tests/browser -q
    step "tests against a real Elasticsearch"
    .venv/bin/pytest tests/server -q
fi

if [ "$(id -u)" != 0 ]; then
    echo "lab tests skipped: they need root"
    exit 0
fi
step "a lab for the tests"
$canh lab down >/dev/null 2>&1 || true # leftovers of an earlier run
rm -rf "$CANH_DATA"
trap '$canh lab down >/dev/null 2>&1 || true' EXIT
$canh lab up
step "lab tests"
.venv/bin/pytest tests/lab -q
step "done"
