"""What is said of a machine that cannot hold a lab, each lack from its own evidence."""

from __future__ import annotations

import os
import socket

import pytest

from infra import forward, preflight
from infra.errors import HostUnfit
from tests.unit.infra.goldens import assert_reads


def test_every_lack_of_a_bare_machine_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.shutil, "which", lambda name: None)  # modprobe is not there either
    lacks = [
        *preflight.root_lack(1000),
        *preflight.program_lacks({"systemd-nspawn": "systemd-container", "nc": "netcat-openbsd"}, lambda name: None),
        *preflight.filesystem_lack("nodev\tproc\n\text4\n"),
        *preflight.namespace_lacks(["mnt", "pid", "uts", "ipc", "cgroup"]),
    ]
    assert_reads("unfit-host", str(preflight.unfit(lacks, "6.1.0-test")))


def test_a_capable_machine_lacks_nothing() -> None:
    assert preflight.root_lack(0) == []
    assert preflight.program_lacks({"ip": "iproute2"}, lambda name: "/sbin/ip") == []
    assert preflight.filesystem_lack("nodev\toverlay\n") == []
    assert preflight.namespace_lacks([*preflight.NAMESPACES, "time", "user"]) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_taking_down_without_root_is_refused() -> None:
    with pytest.raises(HostUnfit):
        preflight.require_root()


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HostUnfit) as refused:
            forward.require_free("unit", port)
    assert_reads("port-in-use", str(refused.value).replace(str(port), "PORT"))
    forward.require_free("unit", port)


@pytest.mark.parametrize("text", ["0", "65536", "https", "-1", ""])
def test_what_is_no_port_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANH_CONSOLE_PORT", text)
    with pytest.raises(HostUnfit):
        forward.console_port()
