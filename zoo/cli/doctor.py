"""`zoo doctor`: the state of the installation, with a remedy for what does not work."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from zoo.cli.arguments import AsJson
from zoo.cli.console import print_table

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was examined: its state, what was found, and a remedy."""

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
    """Return every finding, in the order in which things depend on each other."""
    return [*_versions(), *_dgl(), _kernel(), _device(), *_data()]


def _versions() -> list[Finding]:
    import platform
    import sys
    from importlib.metadata import PackageNotFoundError, version

    from zoo import __version__

    fits = (3, 10) <= sys.version_info[:2] < (3, 13)
    remedy = "" if fits else "DGL has wheels for Python 3.10 to 3.12: use one of them"
    findings = [Finding("zoo", "ok", __version__)]
    findings.append(Finding("python", "ok" if fits else "problem", platform.python_version(), remedy))
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
        remedy = "pip install 'dgl>=2.1,<2.3'; 'import zoo' must come before 'import dgl'"
        return [Finding("dgl import", "problem", f"{type(error).__name__}: {error}", remedy)]
    cuda, reason = dgl_backend.has_cuda(), dgl_backend.why_no_graphbolt()
    return [
        Finding("dgl import", "ok" if works else "problem", "works with this PyTorch"),
        Finding("dgl CUDA kernels", "ok", "in this build")
        if cuda
        else Finding(
            "dgl CUDA kernels",
            "note",
            "not in this build (PyPI has CPU builds only)",
            "nothing to do: a GPU has loops that Triton compiles, or PyTorch's own; dgl.nn modules stay on the CPU",
        ),
        Finding("dgl.graphbolt", "ok", "native library found and loaded")
        if reason is None
        else Finding(
            "dgl.graphbolt",
            "note",
            f"replaced by a stub: {reason}",
            "nothing to do: the zoo does not need it; torch 2.2.1 or older has the real one",
        ),
    ]


def _kernel() -> Finding:
    import torch

    from zoo.engine.kernel_choice import choose_kernel

    name, reason = choose_kernel("auto", torch.device("cpu"))
    if name == "compiled":
        return Finding("CPU kernels", "ok", reason)
    found = f"{name}, not compiled loops, which are faster: {reason}"
    remedy = "pip install --upgrade numba, or a NumPy that it takes; all works without, more slowly"
    return Finding("CPU kernels", "note", found, remedy)


def _device() -> Finding:
    import torch

    from zoo.system.process import choose_device

    _, choice = choose_device("auto")
    found = f"{choice.chosen}: {choice.why}"
    if choice.chosen != "cpu":
        return Finding("device", "ok", found)
    remedy = "for a GPU: a CUDA build of PyTorch (pytorch.org/get-started) and a driver that 'nvidia-smi' sees"
    return Finding("device", "note", f"{found}; {torch.get_num_threads()} threads", remedy)


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
            remedy = "made when something is downloaded, or when you put files there"
            findings.append(Finding("data", "note", f"{found}: not there", remedy))
    return findings


def _print(findings: list[Finding]) -> None:
    from rich.table import Table

    marks = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "problem": "[red]problem[/red]"}
    table = Table("", "what", "found", "what to do")
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, finding.found, finding.remedy)
    print_table(table)
