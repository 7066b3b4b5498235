"""The record of a run, made from the objects that it was trained with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from registry import TABLES
from zoo.builder import Built
from zoo.datasets.base import LinkSplit, Split
from zoo.probes.advice import Situation
from zoo.probes.diagnosis import LEARNED, Diagnosis, diagnose
from zoo.recipe.options import number_option
from zoo.recipe.recipe import Component
from zoo.recipe.values import in_words
from zoo.runs.code import code
from zoo.runs.record import Environment, GradientSimilarity, RunRecord, SplitId
from zoo.training.outcome import Outcome

_PACKAGES = ("torch", "dgl", "numpy", "scipy", "numba", "llvmlite", "triton", "ogb", "scikit-learn")
# Variables that decide how many threads add up a sum, and which instructions do; those that are set are recorded.
_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_DYNAMIC", "MKL_DYNAMIC"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE"),
    *("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT", "TRITON_INTERPRET"),
    *("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)


def environment_of(built: Built) -> Environment:
    """Return what is known of a run before its first step."""
    return Environment(
        **code(),
        versions={name: _version(name) for name in _PACKAGES},
        python=platform.python_version(),
        platform=platform.platform(),
        device=_device(built.device),
        threads=built.process.threads,
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        processes=built.team.size,
        resets=tuple(built.recipe.resets),
        plan=tuple(built.network.plan().lines()),
        choices=built.choices,
        data=built.data.provenance(),
        split={"name": built.split.name, **built.split.provenance()},
    )


def record_of(built: Built, identity: str, outcome: Outcome, environment: Environment, seconds: float) -> RunRecord:
    """Return the record of a training that has ended; seconds: with all that came before it."""
    bounds = [c for _, c in built.network.bounds()]
    task, initial = built.task, built.initial
    low, high = task.metric_range
    return RunRecord(
        recipe=built.recipe.name,
        changes=tuple(built.recipe.changes),
        identity=identity,
        seed=built.seed,
        status=outcome.status,
        metric=task.metric,
        metric_by=task.metric_by,
        higher_is_better=task.higher_is_better,
        metric_range=(low, high),
        val=outcome.val,
        test=outcome.test,
        train=outcome.train,
        best_epoch=outcome.best_epoch,
        epochs=outcome.epochs,
        steps=outcome.steps,
        seconds=round(outcome.seconds, 3),
        seconds_with_setup=round(seconds, 3),
        cuda_graphs=outcome.cuda_graphs,
        parameters=sum(parameter.numel() for parameter in built.network.parameters()),
        split=split_id(built.split, built.recipe.split),
        environment=environment,
        gradient_similarity=GradientSimilarity(initial.first, initial.last, initial.ratio),
        diagnosis=diagnosis_of(built, outcome),
        c=built.c,
        c_range=(min(float(c.min()) for c in bounds), max(float(c.max()) for c in bounds)) if bounds else None,
        non_finite=outcome.non_finite,
    )


def diagnosis_of(built: Built, outcome: Outcome) -> Diagnosis | None:
    """Return the verdict on a training that has ended; None where nothing was read after it."""
    if outcome.final is None:
        return None
    skill = built.task.skill
    best, last = skill(outcome.val, "val"), skill(outcome.course.last_val, "val")
    return diagnose(
        built.initial,
        outcome.final,
        Situation.of(built.recipe, built.network),
        skill=skill(outcome.train, "train"),
        course=outcome.course,
        kept=last / best if best is not None and last is not None and best >= LEARNED else None,
        non_finite=outcome.non_finite,
    )


def split_id(split: Split | LinkSplit, component: Component) -> SplitId:
    """The family and the number of a split that was made by a component of a recipe."""
    option = number_option(TABLES["splits"].get(component.name))
    chosen = component.options.get(option) if option else None
    return SplitId(
        family=split.family or _family(split, component, option),
        number=chosen if split.number is None else split.number,
        fixed=chosen is not None,
        option=option,
    )


def _family(split: Split | LinkSplit, component: Component, option: str | None) -> str:
    """The family of a split that does not say its own: its name and rule, or its options but the number."""
    rule = split.facts.get("rule")
    if rule is None:
        return in_words({key: value for key, value in component.plain().items() if key != option})
    return str(rule) if str(rule).startswith(split.name) else f"{split.name}, {rule}"


def _device(device: torch.device) -> dict[str, Any]:
    """The processor, with the instructions that PyTorch uses of it, and the GPU, with its libraries."""
    found: dict[str, Any] = {
        "type": device.type,
        "cpu": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
    }
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        found |= {
            "gpu": torch.cuda.get_device_name(device),
            "compute capability": f"{major}.{minor}",
            "cudnn": torch.backends.cudnn.version(),
            "float32 products": torch.get_float32_matmul_precision(),
        }
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
