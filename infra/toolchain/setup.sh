#!/bin/bash
# Makes .venv with everything pinned, the Rust module and .venv/bin/canh.
# Does nothing where the inputs have not changed. setup.sh [VENV]
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${1:-.venv}
stamp=$(cat requirements.txt <(python3 --version) | sha256sum | cut -d' ' -f1)
if [ "$(cat "$venv/.canh-stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "Making $venv from requirements.txt (a minute when nothing is cached)" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements.txt
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    pwd >"$site/canh.pth"
    printf '#!%s\nimport sys\n\nfrom canh.cli import main\n\nsys.exit(main())\n' "$PWD/$venv/bin/python" >"$venv/bin/canh"
    chmod 755 "$venv/bin/canh"
    echo "$stamp" >"$venv/.canh-stamp"
fi
native/build.sh "$venv"
