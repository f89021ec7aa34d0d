"""The official client, with failures as StoreErrors that hold no secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from monitoring.elastic._settings import ElasticSettings
from monitoring.errors import QueryError, StoreError

TIMEOUT_S = 30.0

logging.getLogger("elastic_transport").setLevel(logging.WARNING)  # else a line a request
logging.getLogger("elastic_transport.transport").setLevel(logging.ERROR)


class Cluster:
    """One client for all nodes; a node that does not answer is passed over for a while."""

    def __init__(self, settings: ElasticSettings) -> None:
        self.settings = settings
        options: dict[str, Any] = {}
        if settings.ca is not None:
            if not settings.ca.is_file():
                raise StoreError("the CA file is not there", where=settings.ca, fix="name a PEM file of certificates")
            options["ca_certs"] = str(settings.ca)
        if settings.api_key:
            options["api_key"] = settings.api_key
        elif settings.user:
            options["basic_auth"] = (settings.user, settings.password)
        try:
            self.client = Elasticsearch(
                list(settings.hosts),
                request_timeout=TIMEOUT_S,
                max_retries=len(settings.hosts),
                retry_on_timeout=False,
                retry_on_status=(),
                http_compress=False,
                **options,
            )
        except (ValueError, OSError) as error:
            raise StoreError(f"{settings} cannot be used: {error}", fix="check the hosts and the CA file") from None

    def ask(self, what: str, call: Callable[..., Any], **arguments: Any) -> Any:
        """What `call` answers. Raises StoreError; QueryError when the cluster says that the query is at fault."""
        try:
            return call(**arguments)
        except ApiError as error:
            raise self.failure(what, error) from error
        except TransportError as error:
            raise StoreError(
                f"{what}: no answer ({type(error).__name__})",
                where=self.settings,
                fix="check that it runs, its address, its certificate",
            ) from error

    def failure(self, what: str, error: ApiError) -> StoreError | QueryError:
        reason = reason_of(error)
        if error.status_code == 400 and what == "search":
            return QueryError(f"the query cannot be run: {reason}")
        if error.status_code in (401, 403):
            return StoreError(
                f"{what}: not allowed ({reason})", where=self.settings, fix="check the account and its privileges"
            )
        return StoreError(f"{what}: {error.status_code} {reason}", where=self.settings, fix="look at the cluster's log")

    def close(self) -> None:
        self.client.close()


def reason_of(error: ApiError) -> str:
    """The innermost reason the cluster gives, one line."""
    cause = error.body.get("error") if isinstance(error.body, dict) else None
    while isinstance(cause, dict):
        inner = cause.get("caused_by") or next(iter(cause.get("root_cause") or ()), None)
        if not isinstance(inner, dict) or inner == cause:
            return str(cause.get("reason") or cause.get("type"))[:300]
        if inner.get("reason") is None:
            return str(cause.get("reason") or cause.get("type"))[:300]
        cause = inner
    return str(cause or error.message)[:300]
