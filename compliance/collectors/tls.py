"""TLS services of the machine: what they still speak, and how long the certificate lasts."""

from __future__ import annotations

import re

from compliance.model import Facts

# A handshake that failed ends in "New, (NONE)"; one that succeeded names a version. Security level 0 lets this
# side offer what the other should refuse.
COMMAND = """
for port in $(ss -Hlnt | awk '{n=split($4,a,":"); print a[n]}' | sort -un | grep -xE '443|8443'); do
  for version in tls1 tls1_1 tls1_2 tls1_3; do
    if openssl s_client -connect "127.0.0.1:$port" -"$version" -cipher 'DEFAULT:@SECLEVEL=0' </dev/null 2>/dev/null |
        grep -q '^New, [A-Z]'; then
      echo "$port speaks $version"
    fi
  done
  echo "$port until $(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null |
      openssl x509 -noout -checkend 2592000 >/dev/null 2>&1 && echo beyond || echo within) 30 d"
done
"""


def facts(output: str) -> Facts:
    """`tls.ports`; `tls.versions` some port speaks; `tls.expiring`: ports whose certificate ends within 30 d."""
    speaks = re.findall(r"^(\d+) speaks (\S+)$", output, re.M)
    return {
        "tls.ports": sorted({port for port, _ in speaks}),
        "tls.versions": sorted({version for _, version in speaks}),
        "tls.expiring": sorted(re.findall(r"^(\d+) until within 30 d$", output, re.M)),
    }
