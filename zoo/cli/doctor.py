"""`zoo doctor`: what is installed, what works here, and what to do about what does not."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from zoo.cli.arguments import AsJson

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, what was found, and what to do if that is not well."""

    what: str
    state: State
    found: str
    remedy: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Report versions, what DGL can do here, the device and why, and where data is looked for."""
    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        _print(findings)
    if any(finding.state == "problem" for finding in findings):
        raise SystemExit(1)


def examine() -> list[Finding]:
    """Every finding, in the order in which things depend on each other."""
    return [*_versions(), *_dgl(), _kernel(), _device(), *_data()]


def _versions() -> list[Finding]:
    import platform
    import sys
    from importlib.metadata import PackageNotFoundError, version

    from zoo import __version__

    findings = [Finding("zoo", "ok", __version__)]
    python = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] < (3, 13)
    findings.append(
        Finding("python", "ok", python)
        if fits
        else Finding("python", "problem", python, "DGL has wheels for Python 3.10 to 3.12: use one of them")
    )
    for package in ("torch", "dgl", "numpy", "scipy", "pandas", "ogb"):
        try:
            findings.append(Finding(package, "ok", version(package)))
        except PackageNotFoundError:
            findings.append(Finding(package, "problem", "not installed", f"pip install {package}"))
    return findings


def _dgl() -> list[Finding]:
    from zoo import dgl_backend

    try:
        works = dgl_backend.dgl.graph(([0, 1], [1, 0])).num_nodes() == 2
    except Exception as error:
        return [
            Finding(
                "dgl import",
                "problem",
                f"{type(error).__name__}: {error}",
                "pip install 'dgl>=2.1,<2.3'; 'import zoo' must come before 'import dgl'",
            )
        ]
    findings = [Finding("dgl import", "ok" if works else "problem", "works with this PyTorch")]
    if dgl_backend.has_cuda():
        findings.append(Finding("dgl CUDA kernels", "ok", "in this build"))
    else:
        findings.append(
            Finding(
                "dgl CUDA kernels",
                "note",
                "not in this build (PyPI has CPU builds only)",
                "nothing to do: a GPU has loops that Triton compiles, or PyTorch's own; dgl.nn modules stay on the CPU",
            )
        )
    reason = dgl_backend.why_no_graphbolt()
    if reason is None:
        findings.append(Finding("dgl.graphbolt", "ok", "native library found and loaded"))
    else:
        findings.append(
            Finding(
                "dgl.graphbolt",
                "note",
                f"replaced by a stub: {reason}",
                "nothing to do: the zoo does not need it; torch 2.2.1 or older has the real one",
            )
        )
    return findings


def _kernel() -> Finding:
    import torch

    from zoo.engine.kernel_choice import choose_kernel

    name, reason = choose_kernel("auto", torch.device("cpu"))
    if name == "compiled":
        return Finding("CPU kernels", "ok", reason)
    return Finding(
        "CPU kernels",
        "note",
        f"{name}, not compiled loops, which are faster: {reason}",
        "pip install --upgrade numba, or a NumPy that it takes; all works without, more slowly",
    )


def _device() -> Finding:
    import torch

    from zoo.system.process import choose_device

    _, choice = choose_device("auto")
    found = f"{choice.chosen}: {choice.why}"
    if choice.chosen == "cpu":
        return Finding(
            "device",
            "note",
            f"{found}; {torch.get_num_threads()} threads",
            "for a GPU: a CUDA build of PyTorch (pytorch.org/get-started) and a driver that 'nvidia-smi' sees",
        )
    return Finding("device", "ok", found)


def _data() -> list[Finding]:
    import os

    from zoo.datasets.store import Store

    findings = []
    if not os.environ.get("ZOO_DATA"):
        remedy = "built-in data sets need none; for the others: export ZOO_DATA=FOLDER, or let them be downloaded"
        findings.append(Finding("data", "note", "ZOO_DATA is not set", remedy))
    for location in Store().locations():
        found = f"{location.folder} ({location.why})"
        if location.exists:
            findings.append(Finding("data", "ok", found))
        else:
            findings.append(
                Finding(
                    "data",
                    "note",
                    f"{found}: not there",
                    "made when something is downloaded, or when you put files there",
                )
            )
    return findings


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    marks = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "problem": "[red]problem[/red]"}
    table = Table("", "what", "found", "what to do")
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, finding.found, finding.remedy)
    console = Console()
    (console if console.is_terminal else Console(width=180)).print(table)
