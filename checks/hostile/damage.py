"""Files spoiled as disks, copies, editors and attackers spoil them: bytes, and what formats are made of."""

import copy
import gzip
import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from hostile.recipes import spoil

Bytes = Callable[[random.Random, bytes], bytes]


def damage(rng: random.Random, folder: Path) -> tuple[str, Path]:
    """Spoil one of the files below a folder; what was done in a word, and which file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    file = rng.choice(files)
    if rng.random() < 0.2:
        return rng.choice(_WHOLE)(rng, file, files), file
    data = file.read_bytes()
    ways = _FORMATS.get(file.suffix, [])
    name, way = rng.choice(ways) if ways and rng.random() < 0.6 else rng.choice(_BYTES)
    try:
        spoiled = way(rng, data)
    except (ValueError, KeyError, IndexError, zipfile.BadZipFile, struct.error):  # not of the form that its name says
        name, spoiled = "flipped bits", flipped(rng, data)
    file.unlink()  # never through a link to what others use
    file.write_bytes(spoiled)
    return name, file


def _deleted(rng: random.Random, file: Path, files: list[Path]) -> str:
    del rng, files
    file.unlink()
    return "deleted"


def _swapped(rng: random.Random, file: Path, files: list[Path]) -> str:
    other = rng.choice(files)
    data, theirs = file.read_bytes(), other.read_bytes()
    for place, content in ((file, theirs), (other, data)):
        place.unlink(missing_ok=True)
        place.write_bytes(content)
    return "swapped files"


def _a_folder(rng: random.Random, file: Path, files: list[Path]) -> str:
    del files
    file.unlink()
    file.mkdir()
    if rng.random() < 0.5:
        (file / "within").write_bytes(b"x")
    return "a folder in its place"


def _a_link(rng: random.Random, file: Path, files: list[Path]) -> str:
    del files
    file.unlink()
    file.symlink_to(rng.choice((file.name, "nothing", "..")))
    return "a link to nothing"


def _emptied(rng: random.Random, file: Path, files: list[Path]) -> str:
    del rng, files
    file.unlink()
    file.touch()
    return "emptied"


def flipped(rng: random.Random, data: bytes) -> bytes:
    """One to eight bits are the other way round."""
    spoiled = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        spoiled[rng.randrange(len(spoiled))] ^= 1 << rng.randrange(8)
    return bytes(spoiled)


def truncated(rng: random.Random, data: bytes) -> bytes:
    """Only the beginning is there."""
    return data[: rng.randrange(len(data) + 1)]


def _zeroed(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    size = min(len(data) - at, rng.choice((1, 16, 512, 4096)))
    return data[:at] + bytes(size) + data[at + size :]


def _noise(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 4, 64))) + data[at + rng.choice((0, 1, 64)) :]


def _repeated(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at - rng.randrange(200) : at] + data[at:]


def _longer(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice((b"\0" * 512, b"\n", b"{}", data[:100], b"\xff\xfe"))


def _json(rng: random.Random, data: bytes) -> bytes:
    """The JSON is right, what it says is not."""
    tree = json.loads(data)
    match rng.randrange(5):
        case 0:
            return rng.choice(_JSON)
        case 1:
            return _written({**tree, rng.choice(list(tree)): json.loads(rng.choice(_NUMBERS))})
        case _:
            for _ in range(rng.choice((1, 1, 3))):
                spoil(rng, tree)
            return _written(tree)


def _lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines[at] = rng.choice(_JSON) + b"\n"
        case 2:
            rng.shuffle(lines)
        case _:
            lines[at] = _json(rng, lines[at]).replace(b"\n", b" ") + b"\n"
    return b"".join(lines)


def _written(tree: Any) -> bytes:
    return json.dumps(tree, default=str).encode("utf-8", "surrogatepass")


def _yaml(rng: random.Random, data: bytes) -> bytes:
    tree = copy.deepcopy(yaml.safe_load(data))
    for _ in range(rng.choice((1, 1, 3))):
        spoil(rng, tree)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def _safetensors(rng: random.Random, data: bytes) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    if rng.random() < 0.3:
        wrong = rng.choice((0, 1, length - 1, length + 8, len(data), 2**31, 2**63, 2**64 - 1))
        return struct.pack("<Q", wrong) + data[8:]
    name = rng.choice([key for key in header if key != "__metadata__"])
    entry = header[name]
    match rng.randrange(7):
        case 0:
            header[rng.choice(("unknown", "", "blocks.0", "é" * 99))] = header.pop(name)
        case 1:
            entry["shape"] = rng.choice(
                ([], [0], [-1], [2**62, 4], [1, *entry["shape"]], entry["shape"][::-1], "x", None)
            )
        case 2:
            entry["dtype"] = rng.choice(("F64", "F16", "BF16", "I64", "I8", "BOOL", "X", 5, None))
        case 3:
            first, last = entry["data_offsets"]
            entry["data_offsets"] = rng.choice(
                ([first, last + 4], [last, first], [-4, last], [0, 2**63], [0, 0], [first], "x")
            )
        case 4:
            del header[name]
        case 5:
            header["__metadata__"] = rng.choice(({}, {"a": "b"}, 5, {"a": {"b": 1}}))
        case _:
            rest = rng.choice((rest[:-4], rest + bytes(4), b"", struct.pack("<f", float("nan")) * (len(rest) // 4)))
    text = (
        rng.choice((json.dumps(header), json.dumps(header)[:-1], "[]", "[" * 5000))
        if rng.random() < 0.2
        else json.dumps(header)
    )
    return struct.pack("<Q", len(text.encode())) + text.encode() + rest


def _zip(rng: random.Random, data: bytes) -> bytes:
    """An archive whose check sums are right, and one of its members not."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(members))
    name, content = members[at]
    match rng.randrange(8):
        case 0:
            del members[at]
        case 1:
            members[at] = rng.choice(("x", "../x", "/x", "a" * 300, name.upper(), name.partition("/")[0])), content
        case 2:
            members[at] = name, members[rng.randrange(len(members))][1]
        case 3:
            members[at] = name, bytes(20_000_000)
        case 4:
            members.append((name, content))
        case 5 if content.startswith(b"\x93NUMPY"):
            members[at] = name, _npy(rng, content)
        case _:
            members[at] = name, rng.choice((flipped, truncated, _noise))(rng, content)
    made = io.BytesIO()
    kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(made, "w", kind) as archive:
        for number, (name, content) in enumerate(members):
            if name not in archive.namelist() or number == len(members) - 1:
                archive.filelist = [item for item in archive.filelist if item.filename != name]
                archive.NameToInfo.pop(name, None)
                archive.writestr(name, content)
    return made.getvalue()


def _npy(rng: random.Random, content: bytes) -> bytes:
    """An array whose header says something else."""
    text = rng.choice(
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000), }",
            "{'descr': '<i8', 'fortran_order': True, 'shape': (-1,), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<U9', 'fortran_order': False, 'shape': (), }",
            "{'descr': [('a', '<i4'), ('b', '<f8')], 'fortran_order': False, 'shape': (2,), }",
            "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (4,), }",
            "{'descr': '|b1', 'fortran_order': False, 'shape': (0, 7), }",
            "{'descr': '<i8', 'shape': (" + "(" * 300 + ")" * 300 + ",)}",
            "__import__('os')",
        )
    )
    header = text.encode().ljust(118 if len(text) < 118 else len(text) + 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content[128:]


def _text(rng: random.Random, data: bytes) -> bytes:
    """A table of numbers with one that does not belong there, a line too few, or one too many."""
    lines = data.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case _:
            separator = next((sign for sign in (b",", b"\t", b" ") if sign in lines[at]), b",")
            cells = lines[at].rstrip(b"\n").split(separator)
            cells[rng.randrange(len(cells))] = rng.choice(_CELLS)
            lines[at] = separator.join(cells) + b"\n"
    return b"".join(lines)


def _gzip(rng: random.Random, data: bytes) -> bytes:
    return gzip.compress(rng.choice((_text, _text, truncated, _noise))(rng, gzip.decompress(data)), mtime=0)


_NUMBERS = ["1e999", "-1e999", "NaN", "1e308", "9" * 400, "-0.0", "true", "null", "[]", "{}", '""', '"0.5"', "[[0.5]]"]
_JSON = [
    *(b"null", b"[]", b"{}", b'"x"', b"5", b"true", b"NaN", b"", b" ", b"{", b'{"a": 1, "a": 2}', b"\xff\xfe{}", b"\0"),
    *(
        b"[" * 5000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b"9" * 5000,
        b"\xef\xbb\xbf{}",
    ),
]
_CELLS = [
    b"",
    b"-1",
    b"0",
    b"99999999",
    b"9" * 30,
    b"1e999",
    b"nan",
    b"inf",
    b"x",
    b"1.5",
    b"-0",
    b"\xff",
    b'"',
    b"1e18",
    b" ",
]
_WHOLE = [_deleted, _swapped, _a_folder, _a_link, _emptied]
_BYTES: list[tuple[str, Bytes]] = [
    ("flipped bits", flipped),
    ("truncated", truncated),
    ("zeroed", _zeroed),
    ("noise", _noise),
    ("repeated", _repeated),
    ("something behind", _longer),
]
_FORMATS: dict[str, list[tuple[str, Bytes]]] = {
    ".json": [("other JSON", _json)],
    ".jsonl": [("other lines", _lines)],
    ".yaml": [("another recipe", _yaml)],
    ".safetensors": [("another header", _safetensors)],
    ".pt": [("another archive", _zip)],
    ".npz": [("another archive", _zip)],
    ".gz": [("another table", _gzip)],
    ".txt": [("another table", _text)],
    ".index": [("another table", _text)],
}


def copied(source: Path, target: Path) -> Path:
    """A copy of a folder that may be spoiled."""
    return Path(shutil.copytree(source, target, symlinks=True, copy_function=shutil.copyfile))
