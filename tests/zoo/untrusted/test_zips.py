"""Zip archives before they are unpacked."""

import io
import stat
import zipfile

import pytest

from zoo.untrusted.zips import check_members, check_size, check_stored


def archive(*members: zipfile.ZipInfo | str, data: bytes = b"x", how: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipFile:
    """An archive in memory, opened; every member holds the same."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as made:
        for member in members:
            made.writestr(member, data)
    return zipfile.ZipFile(stream)


def special(kind: int) -> zipfile.ZipInfo:
    """A member that is no plain file."""
    info = zipfile.ZipInfo("a/x")
    info.external_attr = (kind | 0o777) << 16
    return info


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:x", "a\\..\\x"])
def test_members_outside_are_refused(name):
    """Names that climb, absolute ones, and those of other systems."""
    with pytest.raises(ValueError, match="leave its folder"):
        check_members(archive(name).infolist(), most=10)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind):
    """A member is a file or a folder."""
    with pytest.raises(ValueError, match="link or a device"):
        check_members(archive(special(kind)).infolist(), most=10)


def test_too_many_and_doubled_members_are_refused():
    """The directory is read as far as the limit only; a second member of a name would replace the first."""
    with pytest.raises(ValueError, match="more than 2 members"):
        check_members(archive("a", "b", "c").infolist(), most=2)
    info = zipfile.ZipInfo("a//b")
    with pytest.raises(ValueError, match="there twice"):
        check_members([*archive("a/b").infolist(), info], most=10)


def test_plain_members_pass():
    """Files in folders, with the modes that systems give them."""
    check_members(archive("a/", "a/b", special(stat.S_IFREG)).infolist(), most=10)


def test_a_bomb_is_refused_by_what_it_says():
    """Ten megabytes of zeros in ten kilobytes pass only where that much is free."""
    opened = archive("a", data=bytes(10 << 20))
    size = opened.infolist()[0].compress_size
    with pytest.raises(ValueError, match="would unpack to"):
        check_size(opened.infolist(), size, ratio=100, free=1 << 20)
    check_size(opened.infolist(), size, ratio=100, free=16 << 20)


def test_what_pytorch_writes_is_stored():
    """A compressed member is nothing that PyTorch wrote, and neither is one that is larger than the file."""
    opened = archive("a/data/0", data=bytes(1000))
    with pytest.raises(ValueError, match="compressed"):
        check_stored(opened, 10_000)
    stored = archive("a/data/0", data=bytes(1000), how=zipfile.ZIP_STORED)
    check_stored(stored, 1200)
    with pytest.raises(ValueError, match="would unpack to"):
        check_stored(stored, 900)
