"""Network file systems are recognised, and warned of where a database would be written."""

from __future__ import annotations

import pytest

from autoopt.errors import AutooptWarning
from autoopt.records import place
from autoopt.records.store import Store

MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 21 0:44 / {folder} rw,relatime shared:2 - {kind} server:/export rw
41 21 0:45 / {folder}/more\\040disks rw - xfs /dev/sdb1 rw
42 21 0:45 / {folder}/over rw - nfs4 server:/x rw
43 21 0:46 / {folder}/over rw - tmpfs none rw
"""


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Let a folder look as if something else were mounted there."""

    def mount(kind):
        mounts = tmp_path / "mountinfo"
        mounts.write_text(MOUNTS.format(folder=tmp_path / "disk", kind=kind))
        monkeypatch.setattr(place, "MOUNTS", mounts)
        (tmp_path / "disk").mkdir(exist_ok=True)
        return tmp_path / "disk"

    return mount


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "lustre"])
def test_a_file_on_a_network_is_recognised(mounted, kind):
    assert place.network_of(mounted(kind) / "autoopt.db") == kind


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "overlay", "apfs", "9p"])
def test_a_disk_of_this_machine_is_none(mounted, kind):
    assert place.network_of(mounted(kind) / "autoopt.db") is None


@pytest.mark.parametrize("name", ["more disks/x.db", "over/x.db", "../disks/x.db", "../disk2.db"])
def test_what_is_mounted_further_inside_counts(mounted, name):
    assert place.network_of(mounted("nfs") / name) is None


def test_a_link_leads_to_the_network(mounted, tmp_path):
    (tmp_path / "link").symlink_to(mounted("nfs4"))
    assert place.network_of(tmp_path / "link" / "autoopt.db") == "nfs4"


def test_where_nothing_tells_what_is_mounted_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "none")
    assert place.network_of(tmp_path / "autoopt.db") is None


def test_who_writes_to_a_network_is_warned_and_who_reads_is_not(mounted):
    path = mounted("nfs4") / "autoopt.db"
    with pytest.warns(
        AutooptWarning, match=r"lies on a network file system \(nfs4\).*use a file on a local disk"
    ):
        Store.open(path).close()
    Store.open(path, readonly=True).close()
