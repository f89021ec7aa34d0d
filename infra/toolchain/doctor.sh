#!/bin/sh
# Names what this machine lacks and the command that installs it. Exit 0 complete, 1 something is missing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bad=0
say() { printf '%-4s %-26s %s\n' "$1" "$2" "$3"; }
have() { say ok "$1" "$2"; }
lack() { say MISS "$1" "$2"; bad=1; }

[ "$(id -u)" = 0 ] && have root "" || lack root "the lab makes machines and links: run as root"
. /etc/os-release 2>/dev/null
[ "${ID:-}" = debian ] && have debian "${VERSION_ID:-?}" || lack debian "Debian 12 is what this is tested on; found ${PRETTY_NAME:-unknown}"
py=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none)
case $py in
    3.11) have python3 "$py" ;;
    3.1[2-9]) lack python3 "$py: the SOC host of the lab runs Debian's 3.11 on the same libraries; put python3.11 first on PATH" ;;
    *) lack python3 "$py: apt-get install python3 python3-venv (3.11)" ;;
esac
go=$(go env GOVERSION 2>/dev/null || echo none)
[ "$go" != none ] && have go "$go" || { command -v pulumi >/dev/null && have pulumi "$(pulumi version)" || lack go "Go >= 1.26 builds Pulumi where it is not installed: see go.dev, or install pulumi >= 3.220"; }
command -v cargo >/dev/null && have cargo "$(cargo --version)" || lack cargo "Rust >= 1.95 builds the matching engine: install rustup, then rustup toolchain install 1.95"
jdk=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "${JAVA_HOME:-/nonexistent}/release" /usr/lib/jvm/*/release 2>/dev/null | sort -n | tail -n 1)
[ "${jdk:-0}" -ge 21 ] && have jdk "$jdk" || lack jdk "a JDK 21 or newer in JAVA_HOME or /usr/lib/jvm (make test only: a real Elasticsearch)"
while read -r of command package why; do
    case $of in '#'* | '') continue ;; esac
    { [ -e "$command" ] || command -v "$command" >/dev/null; } && have "$command" "$package ($why)" || lack "$command" "apt-get install $package ($why)"
done <"$here/packages.txt"
[ -e /usr/include/stdio.h ] && have libc "headers" || lack libc "apt-get install libc6-dev (the matching engine in Rust links with it)"
grep -qw overlay /proc/filesystems || modprobe -q overlay 2>/dev/null
grep -qw overlay /proc/filesystems && have overlayfs "" || lack overlayfs "the kernel has no overlayfs: load or build it (CONFIG_OVERLAY_FS)"
if [ "$(id -u)" = 0 ]; then
    if ip link add canh-probe0 type veth peer name canh-probe1 2>/dev/null; then
        ip link del canh-probe0; have veth ""
    else
        lack veth "the kernel has no veth: load or build it (CONFIG_VETH)"
    fi
fi
free_mib=$(df -Pm / | awk 'NR==2 {print $4}')
[ "$free_mib" -gt 6000 ] && have disk "$free_mib MiB free" || lack disk "$free_mib MiB free on /: the caches and the lab take 6 GiB"
exit $bad
