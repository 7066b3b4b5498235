"""Text, names, archives and pickles from outside, held against limits."""

import gzip
import io
import pickle
import stat
import unicodedata
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from zoo.untrusted import (
    as_file_name,
    check_members,
    check_name,
    check_npz,
    check_size,
    check_stored,
    escape_controls,
    first_control,
    plain_text,
    scan,
    unpacked,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb", "a\\x0ab"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("μ(G) – 0.5 日本", "μ(G) – 0.5 日本"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    """What a terminal would obey is seen instead; other letters stay."""
    assert escape_controls(text) == shown


@given(st.text(st.characters()))
def test_nothing_is_left_that_acts(text):
    """Whatever comes in, no control character, half of a pair or turn of direction comes out; and it can be encoded."""
    shown = escape_controls(text)
    shown.encode()
    assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in shown)
    assert first_control(shown) is None


def test_line_ends_are_kept_where_that_is_asked_for():
    """A message has lines of its own."""
    assert escape_controls("a\nb\tc\x1b", keep="\n\t") == "a\nb\tc\\x1b"


def test_the_first_control_character_is_named():
    """Line ends and tabs belong to texts of several lines, and are none."""
    assert first_control("two\nlines\tof text") is None
    assert first_control("a\x00b\x1b") == "\\x00"


def test_no_markup_no_emoji_no_control_characters():
    """A table shows brackets, names of emoji and escapes as they are written."""
    table = Table(title=plain_text(":warning: [link=http://x]y[/link]"))
    table.add_column(plain_text("[red]x[/red]"))
    table.add_row(plain_text("\x1b]0;title\x07 [/]"))
    console = Console(width=120, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(table)
    shown = capture.get()
    for text in ("[red]x[/red]", ":warning:", "[link=http://x]y[/link]", "\\x1b]0;title\\x07 [/]"):
        assert text in shown
    assert "\x1b]" not in shown and "\x07" not in shown


@pytest.mark.parametrize("name", ["hello", "smoke/res-gcn", "a.b_c", "…", "日本", "-x", "a" * 200])
def test_names_that_stay_are_let_pass(name):
    """Words, parts with a slash between them, letters of any script."""
    check_name(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leave its folder"),
        ("a/../../x", "leave its folder"),
        ("/etc/x", "leave its folder"),
        ("..", "leave its folder"),
        (".", "leave its folder"),
        ("", "leave its folder"),
        ("a//b", "leave its folder"),
        ("a\\b", "leave its folder"),
        ("a\x00b", r"control character \\x00"),
        ("a\nb", "control character"),
        ("a\x1b[0m", r"control character \\x1b"),
        ("a" * 201, "too long"),
        ("日" * 100, "too long"),
    ],
)
def test_names_that_would_leave_are_refused(name, words):
    """Each with its reason, and what a name is made of."""
    with pytest.raises(ValueError, match=words):
        check_name(name)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_that_passes_stays_in_its_folder(name):
    """Whatever the name: it is refused, or its place is below the folder that it is put into."""
    try:
        check_name(name)
    except ValueError:
        return
    place = Path("/runs") / name
    assert Path("/runs") in place.parents
    assert ".." not in place.parts


@given(st.text(st.characters()))
def test_any_text_becomes_a_file_name(text):
    """One part, not empty, short enough, hidden from nobody."""
    name = as_file_name(text)
    assert Path(name).parts == (name,)
    assert name not in (".", "..")
    assert len(name.encode()) <= 200


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


def checked(data: bytes) -> None:
    """Check an archive in memory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_npz(archive, len(data))


def claiming(header: str, body: bytes = b"12345678") -> bytes:
    """An archive of one array with a header of one's own."""
    text = header.ljust(117) + "\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + body)
    return stream.getvalue()


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_passes(write):
    """Arrays of all kinds and shapes, empty ones too."""
    stream = io.BytesIO()
    arrays = [
        np.zeros((3, 4)),
        np.zeros((0, 5), np.int8),
        np.array(1.5),
        np.array(["ab", "c"]),
        np.asfortranarray(np.eye(3)),
    ]
    write(stream, *arrays)
    checked(stream.getvalue())


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(1000000, 1000000, 1000000)", "(2,)", "(0,)"])
def test_a_shape_that_is_not_there_is_refused(shape):
    """A header may claim no more, and no less, than the bytes behind it."""
    with pytest.raises(ValueError, match="claims the shape"):
        checked(claiming(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': 'x', 'shape': ()}",
        "[" * 60,
        "__import__('os')",
    ],
)
def test_headers_that_make_no_sense_are_refused(header):
    """Negative lengths, unknown types, what is no mapping."""
    with pytest.raises(ValueError):
        checked(claiming(header))


def test_a_bomb_is_refused():
    """Many arrays of zeros that deflate to a thousandth are refused before one is read."""
    stream = io.BytesIO()
    np.savez_compressed(stream, *[np.zeros(4 << 20) for _ in range(2)])
    data = stream.getvalue()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, pytest.raises(ValueError, match="would unpack to"):
        check_npz(archive, len(data) // 10)


def test_text_comes_back():
    """What was packed, from its beginning."""
    assert unpacked(gzip.compress(b"1,2\n" * 1000)).read() == b"1,2\n" * 1000


def test_a_bomb_is_stopped():
    """Zeros without end are unpacked to the limit only."""
    bomb = gzip.compress(bytes(8 << 20))
    with pytest.raises(ValueError, match="unpack to more than"):
        unpacked(bomb, ratio=10, free=1 << 20)


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"x" * 100)[:-9]], ids=["empty", "another", "cut"])
def test_damaged_files_are_refused(data):
    """Not one of them is read as an empty one, but for the empty one."""
    if not data:
        assert unpacked(data).read() == b""
        return
    with pytest.raises((OSError, EOFError)):
        unpacked(data)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_passes(protocol):
    """What Python writes of numbers, text, containers and arrays is let through, byte for byte."""
    for value in ({"a": [1, (2.5, None)], 3: {"x"}}, np.arange(5), "é" * 300, b"x" * 300, OrderedDict(a=1), 2**100):
        data = pickle.dumps(value, protocol)
        assert scan(io.BytesIO(data + b"more")) == data


def test_pickles_that_follow_each_other():
    """Each is taken by itself, and the stream stands before the next."""
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps([2]))
    assert [pickle.loads(scan(stream)) for _ in range(2)] == [1, [2]]


@pytest.mark.parametrize(
    "data",
    [b"]r\xff\xff\xff\x7f.", b"]p2000000000\n.", b"]r\x00\x00\x00\x10.", b"]p-1\n."],
    ids=["LONG_BINPUT", "PUT", "256 MiB", "negative"],
)
def test_a_far_place_in_the_memo_is_refused(data):
    """Seven bytes would make the unpickler fill gigabytes."""
    with pytest.raises(ValueError, match="its memo has a place"):
        scan(io.BytesIO(data))


@pytest.mark.parametrize(
    "data",
    [
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x82\x01.",
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x40.",
        b"\x80\x05\x97.",
        b"Px\n.",
    ],
    ids=["INST", "OBJ", "EXT1", "BYTEARRAY8", "NEXT_BUFFER", "PERSID"],
)
def test_what_plain_data_does_not_need_is_refused(data):
    """Calls of old, codes of extensions, buffers."""
    with pytest.raises(ValueError):
        scan(io.BytesIO(data))


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_truncated_pickles_are_refused(cut):
    """Wherever it ends too early."""
    with pytest.raises(ValueError):
        scan(io.BytesIO(pickle.dumps(list(range(100)))[:cut]))
