"""Bad recipes: what is right, spoiled in ways that people, editors, disks and attackers spoil it."""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hostile.junk import DOCUMENTS, TOKENS, WORDS, junk, names
from zoo.recipe import recipe_files, yaml_text

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Bad:
    """What the zoo is asked. words: of the command; named: one of these has to stand in a refusal."""

    kind: str
    words: list[str]
    named: tuple[str, ...] = ()


def bad(rng: random.Random, folder: Path) -> Bad:
    """Spoil a shipped recipe or study in one of the ways, writing its files into a folder."""
    kinds: list[tuple[int, Callable[[random.Random, Path], Bad]]] = [
        (48, _tree),
        (12, _noise),
        (8, _yaml),
        (6, _extends),
        (12, _override),
        (3, _plugins),
        (8, _study),
        (3, _name),
    ]
    return rng.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0](rng, folder)


def _tree(rng: random.Random, folder: Path) -> Bad:
    """One to three values of a recipe are replaced, removed, renamed, moved or joined by others."""
    name, whole, _ = rng.choice(_whole() if rng.random() < 0.5 else _own())
    tree = copy.deepcopy(whole)
    touched = [spoil(rng, tree) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    _write(folder / "bad.yaml", tree, rng)
    words = _verb(rng, str(folder / "bad.yaml"), train=name.startswith("smoke/"))
    return Bad("values", words, () if name.startswith("_base/") else _only(touched))  # a part lacks other things, too


def _noise(rng: random.Random, folder: Path) -> Bad:
    """Bytes of a recipe's file are flipped, cut off, repeated or put in."""
    data = bytearray(rng.choice(_own())[2])
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                del data[at:]
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data[at:at] = rng.randbytes(rng.choice((1, 2, 40)))
            case 3:
                data[at:at] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")
            case 4:
                data[at:at] = data[at : at + rng.randrange(1, 200)]
            case _:
                del data[at : at + rng.randrange(1, 30)]
        if not data:
            break
    (folder / "bad.yaml").write_bytes(data)
    return Bad("bytes", _verb(rng, str(folder / "bad.yaml")), ("bad",))


def _yaml(rng: random.Random, folder: Path) -> Bad:
    """The file is YAML, or nearly, but no recipe: tags, aliases, depths and sizes."""
    (folder / "bad.yaml").write_text(rng.choice(DOCUMENTS)(rng), encoding="utf-8", errors="surrogatepass")
    return Bad("YAML", _verb(rng, str(folder / "bad.yaml")), ("bad",))


def _extends(rng: random.Random, folder: Path) -> Bad:
    """The parent is missing, wrong, or its own child."""
    tree: dict[str, Any] = {"training": {"duration": "1 epochs"}}
    match rng.randrange(6):
        case 0:
            tree["extends"] = junk(rng)
        case 1:
            tree["extends"] = _misspelt(rng, rng.choice(recipe_files.names()))
        case 2:
            tree["extends"] = rng.choice(("bad", "bad.yaml", "./bad", "sub/../bad", str(folder / "bad")))
        case 3:
            count = rng.choice((2, 3, 40, 300))
            for number in range(count):
                _write(folder / f"link-{number}.yaml", {"extends": f"link-{(number + 1) % count}"})
            tree["extends"] = "link-0"
        case 4:
            count = rng.choice((5, 33, 200))
            for number in range(count):
                _write(folder / f"link-{number}.yaml", {"extends": f"link-{number + 1}"})
            _write(folder / f"link-{count}.yaml", {"extends": "smoke/res-gcn"})
            tree["extends"] = "link-0"
        case _:
            (folder / "up.yaml").mkdir()
            (folder / "raw.yaml").write_bytes(rng.randbytes(50))
            tree["extends"] = rng.choice(("up", "raw", "/etc/passwd", "../../../../etc/passwd", "studies/hello", "\0"))
    _write(folder / "bad.yaml", tree)
    return Bad("extends", _verb(rng, str(folder / "bad.yaml")), ("bad", "link", "up", "raw", "extends"))


def _override(rng: random.Random, folder: Path) -> Bad:
    """What is typed after a right recipe is wrong."""
    del folder
    name, tree, _ = rng.choice(_whole())
    words = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        path = ".".join(map(str, rng.choice(list(places(tree)))))
        if rng.random() < 0.4:
            path = rng.choice((_misspelt(rng, path), f"{path}.x", f"{path}..", f".{path}", "", ".", "a" * 300, "é.ñ"))
        value = rng.choice(WORDS) if rng.random() < 0.5 else _flow(junk(rng))
        words.append(f"~{path}" if rng.random() < 0.15 else f"{path}={value}")
    return Bad("overrides", [rng.choice(("validate", "show")), name, *(word.replace("\0", "") for word in words)])


def _plugins(rng: random.Random, folder: Path) -> Bad:
    """The recipe asks for code: of which none may run."""
    evil = folder / "evil.py"
    evil.write_text("from pathlib import Path\nPath('was-run').write_text('it was')\nraise RuntimeError('evil')\n")
    listed = rng.choice(
        (
            ["evil.py"],
            "evil.py",
            [str(evil)],
            ["./sub/../evil.py"],
            [None],
            [["evil.py"]],
            {"a": "evil.py"},
            5,
            ["missing.py"],
            [""],
            ["."],
            ["\0"],
            ["a" * 5000],
            junk(rng),
        )
    )
    _write(folder / "bad.yaml", {"extends": "smoke/res-gcn", "plugins": listed})
    return Bad("plugins", _verb(rng, str(folder / "bad.yaml")), ("plug",))


def _study(rng: random.Random, folder: Path) -> Bad:
    """A study's file is spoiled like a recipe's."""
    _, tree, data = rng.choice(_studies())
    tree, file = copy.deepcopy(tree), folder / "bad.yaml"
    touched: list[str] = []
    if rng.random() < 0.75:
        touched = [spoil(rng, tree) for _ in range(rng.choice((1, 1, 2)))]
        _write(file, tree, rng)
    else:
        at = rng.randrange(len(data))
        file.write_bytes(data[:at] + rng.choice((b"", rng.choice(TOKENS).encode("utf-8", "surrogatepass") + data[at:])))
    words = ["study", rng.choice(("status", "table")), str(file)]
    if rng.random() < 0.3:
        words.append("--quick")
    if rng.random() < 0.2:
        words.append(f"{_misspelt(rng, 'training.duration')}={_flow(junk(rng))}".replace("\0", ""))
    return Bad("studies", words, ("bad", *touched))


def _name(rng: random.Random, folder: Path) -> Bad:
    """The recipe itself is called what none is."""
    (folder / "folder.yaml").mkdir()
    (folder / "empty.yaml").touch()
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    (folder / "gone.yaml").symlink_to(folder / "nothing.yaml")
    name = rng.choice(
        (
            *(str(folder / f"{name}.yaml") for name in ("folder", "empty", "loop", "gone", "missing", "a" * 300)),
            *(
                ".",
                "..",
                "/",
                "~",
                "~nobody/x.yaml",
                "a" * 5000,
                "a/b" * 999,
                "é🙈",
                "[red]x",
                "\x1b[31mred",
                " ",
                "a\nb",
            ),
            *("_base/smoke", "../recipes/hello", "/dev/null", "/dev/zero.yaml", "studies/hello", "hello.yml", "HELLO"),
            *("hello\n", "smoke/", "smoke/../hello", "\udcff", "-", "hello hello", "𝕙ello"),
            _misspelt(rng, rng.choice(recipe_files.names())),
        )
    )
    verb = rng.choice(("validate", "show", "train", "copy"))
    return Bad("names", [verb, name, *([str(folder / "copied.yaml")] if verb == "copy" else [])])


def spoil(rng: random.Random, tree: dict[str, Any]) -> str:
    """Change one thing in a tree, and return the top-level key below which it is."""
    found = list(places(tree))
    if not found or rng.random() < 0.06:
        key = rng.choice(("modle", "unknown", "name", "Model", "", "a.b", "\x1b[2J", "<<", "é", "0", "x" * 400))
        tree[key] = junk(rng)
        return key
    place = rng.choice(found)
    *way, last = place
    parent: Any = tree
    for key in way:
        parent = parent[key]
    match rng.randrange(10):
        case 0:
            del parent[last]
        case 1 if isinstance(parent, dict):
            key = _misspelt(rng, str(last))
            parent[key] = parent.pop(last)
            return key if not way else str(place[0])
        case 2:
            parent[last] = rng.choice(([parent[last]], {"name": parent[last]}, {last: parent[last]}, str(parent[last])))
        case 3:
            other: Any = tree
            for key in rng.choice(found):
                other = other[key]
            parent[last] = copy.deepcopy(other)
        case 4 if isinstance(parent, dict):
            parent[rng.choice(("nmae", "c", "every", "seed", "x y", "\u202e", "name"))] = junk(rng)
        case 5 if isinstance(parent[last], str):
            parent[last] = _misspelt(rng, parent[last])
        case 6 if isinstance(parent[last], int | float):
            parent[last] = rng.choice(
                (-1, 0, -parent[last], parent[last] * 1e300, parent[last] + 0.5, str(parent[last]))
            )
        case _:
            parent[last] = junk(rng)
    return str(place[0])


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Every place in a tree below its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*above, key)
        yield from places(item, (*above, key))


def _verb(rng: random.Random, file: str, *, train: bool = False) -> list[str]:
    """What is asked of a file. train: also for a training, which is over soon if the recipe is still what it was."""
    if train and rng.random() < 0.3:
        return ["train", file, "--quiet"]
    return rng.choice(
        (["validate", file], ["validate", file, "model.depth=3"], ["show", file], ["show", file, "--json"])
    )


def _only(touched: Sequence[str]) -> tuple[str, ...]:
    """What a refusal has to name: where the change is, if there is one; a missing name may turn up elsewhere."""
    named = len(touched) == 1 and touched[0].isidentifier() and touched[0] != "extends"
    return (touched[0][:60],) if named else ()


def _misspelt(rng: random.Random, word: str) -> str:
    at = rng.randrange(len(word) + 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + rng.choice("xyz_-. é\u200b") + word[at:],
            word[:at][::-1] + word[at:],
            word.upper(),
            word.replace("-", "_"),
            f" {word} ",
            word[:at],
        )
    )


def _write(file: Path, tree: Any, rng: random.Random | None = None) -> None:
    flow = rng.choice((None, True, False)) if rng else None
    data = yaml.dump(tree, Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=flow)
    file.write_text(data, encoding="utf-8", errors="surrogatepass")


def _flow(value: Any) -> str:
    return yaml.dump(value, Dumper=_Plain, default_flow_style=True, allow_unicode=True, width=10**9).removesuffix(
        "...\n"
    )


class _Plain(yaml.SafeDumper):
    """Without anchors, so that what occurs twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@cache
def _own() -> list[tuple[str, dict[str, Any], bytes]]:
    """Every shipped recipe as it is written: name, tree, text; parts that others extend too."""
    root = recipe_files.shipped()
    files = sorted(file for file in root.rglob("*.yaml") if recipe_files.STUDIES not in file.parts)
    return [
        (
            file.relative_to(root).with_suffix("").as_posix(),
            yaml_text.parse(file.read_text(encoding="utf-8")),
            file.read_bytes(),
        )
        for file in files
    ]


@cache
def _whole() -> list[tuple[str, dict[str, Any], bytes]]:
    """Every shipped recipe with all defaults filled in."""
    from zoo.recipe.load import load

    return [(name, load(name).plain(), b"") for name in recipe_files.names()]


@cache
def _studies() -> list[tuple[str, dict[str, Any], bytes]]:
    files = sorted((recipe_files.shipped() / recipe_files.STUDIES).glob("*.yaml"))
    return [(file.stem, yaml_text.parse(file.read_text(encoding="utf-8")), file.read_bytes()) for file in files]


def prepare() -> None:
    """Read all that is spoiled, once, before processes are forked."""
    for read in (_own, _whole, _studies, names):
        read()
