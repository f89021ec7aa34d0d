"""Accounts that can log in, and how their passwords are kept. Hashes are reduced to their kind on the machine."""

from __future__ import annotations

from compliance.model import Facts

# The second field of shadow becomes its kind: "locked", "empty", or the id of the hash ("y" is yescrypt).
COMMAND = r"""
getent passwd | cut -d: -f1,3,7
echo ---
getent shadow | awk -F: '{
  p = $2; kind = "other"
  if (p == "") kind = "empty"
  else if (p ~ /^[!*]/) kind = "locked"
  else if (split(p, part, "$") > 2) kind = part[2]
  print $1 ":" kind
}'
"""
_NO_LOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync")


def facts(output: str) -> Facts:
    """`accounts.login`: names with a shell; `accounts.uid0`; `accounts.passwords`: "name kind" where one is set."""
    people, dashes, kept = output.partition("---\n")
    if not dashes:
        raise ValueError("the output has no shadow part")
    rows = [line.split(":") for line in people.splitlines()]
    kinds = dict(line.rsplit(":", 1) for line in kept.splitlines())
    # The exit code of getent is lost in its pipe, and every machine has root in both tables.
    if "root" not in kinds or "root" not in (name for name, _, _ in rows):
        raise ValueError("root is in no list: passwd or shadow was not read")
    return {
        "accounts.login": sorted(name for name, _, shell in rows if shell not in _NO_LOGIN),
        "accounts.uid0": sorted(name for name, uid, _ in rows if uid == "0"),
        "accounts.root_password": kinds["root"],
        "accounts.empty_passwords": sorted(name for name, kind in kinds.items() if kind == "empty"),
        "accounts.hashes": sorted({kind for kind in kinds.values() if kind not in ("locked", "empty")}),
    }
