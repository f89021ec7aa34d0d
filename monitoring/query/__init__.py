"""The query language: Lucene query strings over ECS names, as a small tree.

    source.ip:10.250.0.0/16 AND event.action:login AND NOT user.name:ansible
    user.name:adm* OR source.port:[1 TO 1023] OR "connection reset"
Words side by side mean AND. A word or phrase without a field is looked for in the message and the
original line. Text is compared folded (any case, marks composed), keywords letter by letter. `field:*` is
any value; ranges are `[a TO b]`, `{a TO b}`, `>a`, `<=a`; `/.../` is a regular expression (see `_regex`); a
colon inside a value wants quotes. A store turns the tree into its own language (SQL, Elasticsearch's query
DSL); nothing of a query is ever pasted into it.
"""

from monitoring.query._fold import fold, forms, forms_of
from monitoring.query._parse import parse, unfit
from monitoring.query._time import moment
from monitoring.query._tree import (
    All,
    Any,
    Between,
    Everything,
    Exists,
    Network,
    Node,
    Not,
    Regex,
    Term,
    Text,
    Wildcard,
)

__all__ = [
    "All",
    "Any",
    "Between",
    "Everything",
    "Exists",
    "Network",
    "Node",
    "Not",
    "Regex",
    "Term",
    "Text",
    "Wildcard",
    "fold",
    "forms",
    "forms_of",
    "moment",
    "parse",
    "unfit",
]
