"""Names by which a lab is found again."""

from __future__ import annotations

import pytest

from infra.errors import BadLabId
from infra.names import IFNAME_LENGTH, LabNames, bridge_port_of, machine_id_of
from tests.unit.infra.goldens import assert_reads


@pytest.mark.parametrize("lab", ["", "toolong", "a-b", "Lab", "../x", "a b", "lab\n"])
def test_an_id_that_could_be_mistaken_is_refused(lab: str) -> None:
    with pytest.raises(BadLabId):
        LabNames(lab=lab)


def test_a_refused_id_says_why() -> None:
    with pytest.raises(BadLabId) as refused:
        LabNames(lab="My-Lab")
    assert_reads("bad-id", str(refused.value))


def test_no_lab_owns_a_name_of_another() -> None:
    assert not LabNames(lab="test").netns("a").startswith(LabNames(lab="tes").prefix)
    assert not LabNames(lab="t").netns("est-a").startswith(LabNames(lab="test").prefix)


def test_a_long_device_name_still_gives_an_interface_name_of_its_own() -> None:
    names = ["ward-of-some-length-ce1", "ward-of-some-length-ce2", "mgmt", "lo", "core1"]
    ports = [bridge_port_of(name) for name in names]
    assert len(set(ports)) == len(names)
    assert all(len(port) <= IFNAME_LENGTH and port not in ("mgmt", "lo") for port in ports)


def test_machines_of_two_labs_are_two_machines() -> None:
    assert machine_id_of("a", "core1") != machine_id_of("b", "core1")
    assert len(machine_id_of("a", "core1")) == 32
