#!/bin/bash
# The properties of the unit layer on examples drawn at random: ROUNDS times (5), each with CANH_FUZZ times the usual
# number of examples (4). Stops at the first that fails and says how to see it again. PATHS= takes a part of it.
set -euo pipefail
cd "$(dirname "$0")/.."
export CANH_FUZZ=${CANH_FUZZ:-4}
for ((round = 1; round <= ${ROUNDS:-5}; round++)); do
    seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
    printf '\n== round %s, seed %s (%s s since start)\n' "$round" "$seed" "$SECONDS"
    again=".venv/bin/pytest -m hypothesis ${PATHS:-tests/unit} --hypothesis-seed=$seed"
    # A property with so many examples may take long, and that is no fault.
    if ! $again -q -x -n 2 --timeout=1800; then
        printf '\nsee it again: CANH_FUZZ=%s %s\n(with the one test in place of the path it is quick)\n' "$CANH_FUZZ" "$again"
        echo "mend it, and keep the example: @example(...) on the test, or a golden case"
        exit 1
    fi
done
