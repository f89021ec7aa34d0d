#!/bin/sh
# Installs the Debian packages of packages.txt that are missing. packages.sh [run|test]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scope=${1:-run}
missing=
while read -r of command package _; do
    case $of in '#'* | '') continue ;; test) [ "$scope" = test ] || continue ;; esac
    [ -e "$command" ] || command -v "$command" >/dev/null || missing="$missing $package"
done <"$here/packages.txt"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
# Neither headers nor fonts have a command. gcc alone does not bring the C library that Rust links with.
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
# Without a font that has Vietnamese letters the screenshots show boxes.
if [ "$scope" = test ] && ! dpkg -s fonts-noto-core >/dev/null 2>&1; then missing="$missing fonts-noto-core"; fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "Debian packages are missing:$missing" >&2
    echo "  fix: run as root: apt-get install$missing" >&2
    exit 2
fi
echo "Installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "Debian packages could not be installed:$missing" >&2
    echo "  fix: apt-get update && apt-get install$missing" >&2
    exit 2
fi
rm -f "$log"
