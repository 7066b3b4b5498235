"""Where recipes lie: inside the installed package, or beside it in a checkout."""

from pathlib import Path

from zoo.system.files import absolute, expanded

STUDIES = "studies"  # the folder of study files among the recipes
YAML = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parent.parent


def shipped() -> Path:
    """The folder of the recipes that come with the zoo."""
    installed = _PACKAGE / "recipes"
    return installed if installed.is_dir() else _PACKAGE.parent / "recipes"


def names() -> list[str]:
    """Every shipped recipe that can be trained, by the name to type; `_base` holds parts, `studies` other files."""
    root = shipped()
    found = (file.relative_to(root).with_suffix("").as_posix() for file in root.rglob("*.yaml"))
    return sorted(name for name in found if not name.startswith(("_", f"{STUDIES}/")))


def studies() -> list[str]:
    """The shipped studies, by the name to type."""
    return sorted(file.stem for file in (shipped() / STUDIES).glob("*.yaml"))


def study(name: str) -> Path | None:
    """The file of a shipped study given by name, `hello` or `studies/hello`; None if there is none."""
    stem = name.removeprefix(f"{STUDIES}/")
    return shipped() / STUDIES / f"{stem}.yaml" if stem in studies() else None


def find(recipe: str) -> Path | None:
    """The file of a recipe given by name or by path, which is relative to the working directory; None if none."""
    if recipe.endswith(YAML):
        return _file(expanded(recipe))
    root = shipped().resolve()
    file = _file(root / f"{recipe}.yaml")
    return file if file is not None and file.is_relative_to(root) else None


def parent(file: Path, named: str) -> Path | None:
    """The recipe that a file extends: one beside it, by its path or without the ending, else a shipped one."""
    if named.endswith(YAML):
        return _file(relative(file, named))
    beside = (_file(relative(file, named + ending)) for ending in YAML)
    return next((found for found in beside if found is not None), None) or find(named)


def relative(file: Path, named: object) -> Path:
    """The path that a file names: relative to it, unless it begins with / or ~."""
    return file.parent / expanded(str(named))


def _file(path: Path) -> Path | None:
    try:
        return absolute(path) if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL in it, links in a circle: no file's name
        return None
