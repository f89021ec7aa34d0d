"""Protections of the running kernel against exploits."""

from __future__ import annotations

from compliance.model import Facts

COMMAND = """
for name in kernel.randomize_va_space kernel.kptr_restrict kernel.dmesg_restrict kernel.yama.ptrace_scope \
    fs.protected_symlinks fs.protected_hardlinks net.ipv4.conf.all.accept_redirects \
    net.ipv4.conf.all.accept_source_route net.ipv4.tcp_syncookies; do
  printf '%s %s\\n' "$name" "$(sysctl -n "$name" 2>/dev/null || echo absent)"
done
"""


def facts(output: str) -> Facts:
    """`kernel.<name>`: a number, or "absent" where this kernel has no such switch."""
    rows = [line.split() for line in output.splitlines() if line.strip()]
    return {f"kernel.{name.removeprefix('kernel.')}": int(value) if value.isdigit() else value for name, value in rows}
