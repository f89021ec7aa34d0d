"""Keys and certificates of the platform and of what sends to it, in `<data>/pki/`.

One internal CA, or the province's own, issues for the console, the receivers and devices; what it
issued stands in a register, what was withdrawn in a revocation list. `tokens` are what agents show
that ship over HTTP. Below `monitoring` and `soc`, because both serve TLS.
"""

from pki.authority import Authority
from pki.errors import PkiError
from pki.register import Entry
from pki.tokens import Tokens
from pki.x509 import Purpose

__all__ = ["Authority", "Entry", "PkiError", "Purpose", "Tokens"]
