#!/bin/sh
# native/build.sh VENV: builds the wheel of canh_native and installs it into VENV.
# Built wheels are kept by the hash of what they are made from, and compiled crates too,
# so that a second clone of the repository neither compiles nor waits.
set -eu
venv=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
cache=${CANH_CACHE:-$HOME/.cache/canh}
hash=$(cd "$here" && find Cargo.toml Cargo.lock pyproject.toml src -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-16)
wheels=$cache/wheels/canh_native-$hash-$(uname -m)
stamp=$venv/.canh_native
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$hash" ] && "$venv/bin/python" -c 'import canh_native' 2>/dev/null; then
    exit 0
fi
if ! ls "$wheels"/*.whl >/dev/null 2>&1; then
    echo "canh_native: compiling (a minute or two the first time on a machine)" >&2
    mkdir -p "$cache/wheels"
    fresh=$(mktemp -d "$cache/wheels/.build.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    CARGO_TARGET_DIR=$cache/cargo-target nice "$venv/bin/maturin" build --quiet --release --locked \
        --manifest-path "$here/Cargo.toml" --interpreter "$venv/bin/python" --out "$fresh"
    # Whole or not there: a build killed half-way leaves no wheel under the final name.
    mv -T "$fresh" "$wheels" 2>/dev/null || ls "$wheels"/*.whl >/dev/null
fi
"$venv/bin/python" -m pip install --quiet --no-index --no-deps --force-reinstall --disable-pip-version-check \
    --root-user-action=ignore "$wheels"/*.whl
echo "$hash" > "$stamp"
