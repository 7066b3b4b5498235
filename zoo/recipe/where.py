"""Where recipes lie: inside the installed package, or beside it in a checkout."""

from pathlib import Path

STUDIES = "studies"  # the folder of study files among the recipes
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
    """The file of a recipe given by name or by path; None if there is none."""
    try:
        path = Path(recipe).expanduser()
        if path.suffix in {".yaml", ".yml"}:
            return path.resolve() if path.is_file() else None
        root = shipped().resolve()
        file = (root / f"{recipe}.yaml").resolve()
        return file if file.is_file() and file.is_relative_to(root) else None
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL in it, ~ of nobody: no file has that name
        return None


def plugin(file: Path, named: object) -> Path:
    """The plug-in that a file names: relative to it, unless it begins with / or ~."""
    return Path(str(named)) if str(named).startswith("~") else file.parent / str(named)


def beside(file: Path, name: str) -> Path | None:
    """The file of that name in the folder of another; None if there is none."""
    try:
        found = file.parent / name
        return found.resolve() if found.is_file() else None
    except (OSError, ValueError):
        return None
