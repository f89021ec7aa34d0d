"""An ssh_config that somebody else could have written is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from network.errors import NetworkError, NotOnFile
from network.ssh_config import ssh_config_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "lab").mkdir(mode=0o755)
    (tmp_path / "lab/ssh_config").write_text("Host *\n")
    (tmp_path / "lab/ssh_config").chmod(0o644)
    return tmp_path


def test_our_own_file_is_taken(data: Path) -> None:
    assert ssh_config_of(data) == data / "lab/ssh_config"


def test_no_lab_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotOnFile, match="nothing says how"):
        ssh_config_of(tmp_path)


@pytest.mark.parametrize("name", ["lab", "lab/ssh_config"])
def test_what_others_may_write_is_refused(data: Path, name: str) -> None:
    (data / name).chmod(0o777)
    with pytest.raises(NetworkError, match="another user"):
        ssh_config_of(data)


def test_a_link_is_refused(data: Path) -> None:
    (data / "lab").rename(data / "elsewhere")
    (data / "lab").symlink_to(data / "elsewhere")
    with pytest.raises(NetworkError, match="another user"):
        ssh_config_of(data)
