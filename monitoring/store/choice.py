"""Which store a data directory has: the embedded one unless something says Elasticsearch.

    CANH_STORE=elasticsearch://es1:9200,es2:9200/canh?api_key_file=/etc/canh/es.key&ca=/etc/canh/es-ca.pem
or, for everything that opens the directory, `<data>/store.yaml`:
    elasticsearch: {hosts: [https://es1:9200], user: canh, password_file: /etc/canh/es.password, replicas: 1}
The environment counts first (`canh --store` sets it); `parquet` there is the embedded store whatever the file says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from monitoring.errors import StoreError

if TYPE_CHECKING:  # the client's libraries cost what the embedded store should not
    from monitoring.elastic import ElasticSettings

VARIABLE, FILE = "CANH_STORE", "store.yaml"
EMBEDDED = "parquet"


def elastic_settings(data_dir: Path, environment: Mapping[str, str] = os.environ) -> ElasticSettings | None:
    """The cluster of a data directory; None for the embedded store. Raises StoreError."""
    written = environment.get(VARIABLE, "")
    if written == EMBEDDED:
        return None
    if written:
        if not written.startswith("elasticsearch://"):
            raise StoreError(
                f"{VARIABLE} names no store", where=VARIABLE, fix=f"{EMBEDDED}, or elasticsearch://HOST:9200"
            )
        from monitoring.elastic._settings import settings_of

        return settings_of(written)
    path = data_dir / FILE
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StoreError(
            f"the store's settings cannot be read: {error}", where=path, fix="mend or remove it"
        ) from error
    if not isinstance(document, dict) or set(document) != {"elasticsearch"}:
        raise StoreError("the store's settings have one key: elasticsearch", where=path, fix="mend or remove it")
    from monitoring.elastic._settings import checked

    return checked(document["elasticsearch"], where=path)
