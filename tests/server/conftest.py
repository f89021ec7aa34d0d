"""A real Elasticsearch on loopback: made once (see elasticsearch/install.sh), started for the tests that ask for it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("CANH_CACHE", Path.home() / ".cache/canh"))
OLDEST_JDK = 21
UP_WITHIN_S = 120


@dataclass
class Node:
    """One node, a process of its own; `kill` is -9."""

    name: str
    folder: Path
    home: Path
    java: Path
    http: int
    transport: int
    options: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def start(self) -> None:
        """Returns at once; `wait` for it."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        module_path = ("--module-path", str(self.home / "home/lib"))
        command = [
            "nice", str(self.java), "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={self.folder}/tmp",
            f"-Des.path.home={self.home}/home", f"-Des.path.conf={self.home}/config", "-Des.distribution.type=tar",
            "-Dfile.encoding=UTF-8", "-Djava.awt.headless=true", "-Dlog4j.shutdownHookEnabled=false",
            "-Dlog4j2.disable.jmx=true", "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false", *module_path,
            "--add-modules", "org.elasticsearch.server,jdk.net,jdk.management.agent,jdk.incubator.vector",
            "--enable-native-access=org.elasticsearch.nativeaccess,org.elasticsearch.foreign,org.apache.lucene.core",
            "-cp", str(self.home / "classes"), "EsNode", f"node.name={self.name}", f"http.port={self.http}",
            f"transport.port={self.transport}", "network.host=127.0.0.1", f"path.data={self.folder}/data",
            f"path.logs={self.folder}/logs", *self.options,
        ]  # fmt: skip
        with (self.folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        until = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < until and self.process is not None and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/_cluster/health", timeout=5) as answer:
                    if b'"status"' in answer.read():
                        return
            except (OSError, urllib.error.URLError):
                time.sleep(0.25)
        pytest.fail(f"{self.name} did not come up:\n{(self.folder / 'node.log').read_text()[-3000:]}")

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def jdk() -> Path:
    """The newest JDK of JAVA_HOME and /usr/lib/jvm; fails the test without one new enough."""
    homes = [Path(os.environ["JAVA_HOME"])] if "JAVA_HOME" in os.environ else sorted(Path("/usr/lib/jvm").glob("*"))
    found = {version: home for home in homes if (version := _version(home)) >= OLDEST_JDK}
    if not found:
        pytest.fail(
            f"no JDK {OLDEST_JDK} or newer in JAVA_HOME or /usr/lib/jvm: install one (see README.md, what it needs)"
        )
    return found[max(found)]


def _version(home: Path) -> int:
    release = home / "release"
    written = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.is_file() else None
    return int(written[1]) if written and (home / "bin/javac").exists() else 0


def installed(java_home: Path) -> Path:
    """The folder of the server, made once for each state of the recipe."""
    recipe = HERE / "elasticsearch"
    digest = subprocess.run(
        "find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-12",
        shell=True, cwd=recipe, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    target = CACHE / f"elasticsearch-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "elasticsearch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            done = subprocess.run(
                [recipe / "install.sh", target],
                env={**os.environ, "JAVA_HOME": str(java_home)},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                pytest.fail(f"the test server could not be made: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    return target


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def node(folder: Path, name: str, *options: str) -> Node:
    home = jdk()
    return Node(name, folder / name, installed(home), home / "bin/java", free_port(), free_port(), options)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests of a run."""
    folder = tmp_path_factory.mktemp("elasticsearch")
    made = node(folder, "one", "discovery.type=single-node")
    made.start()
    try:
        made.wait()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
