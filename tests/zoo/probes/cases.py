"""Trainings that are known to go wrong, each in its own way; and one kind that goes well.

`python tests/zoo/probes/cases.py 100` judges a hundred seeds of each, as docs/reading-gradients.md shows.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

import zoo
from zoo.builder import Built
from zoo.probes.diagnosis import Diagnosis
from zoo.probes.presets import evidence_probes
from zoo.probes.snapshot import snapshot
from zoo.recording import diagnosis_of

GRAPH = {
    "dataset": {"name": "block-model", "nodes": 90, "classes": 3, "features": 16, "degree": 6.0, "homophily": 0.8},
    "dataset.signal": 2.0,
    "model.width": 16,
    "probes": "none",
    "execution.device": "cpu",
}
DENSE = {**GRAPH, "dataset.degree": 20.0}
BOUND = {"name": "frobenius", "c": 0.5}


def alike(built: Built) -> None:
    """Every node has the same features, and nearly the same number of neighbours to see them through."""
    features = built.task.features  # pyright: ignore[reportAttributeAccessIssue]
    features[:] = features[0]


# Verdict → the recipe, what is changed in it, the number of epochs, and what is done to the built objects.
CASES: Mapping[str, tuple[str, Mapping[str, object], int, Callable[[Built], None] | None]] = {
    "healthy": ("smoke/res-gcn", {**GRAPH, "model.depth": 16, "normalizer": BOUND}, 40, None),
    "gradient expansion": ("smoke/res-gcn", {**GRAPH, "model.depth": 48, "normalizer": "none"}, 10, None),
    "vanishing gradient": (
        "smoke/gcn",
        {**GRAPH, "model.depth": 40, "model.dropout": 0.0, "normalizer": "none"},
        10,
        None,
    ),
    # Orthogonal weights keep the size; what Â does to the directions is then all there is.
    "gradient oversmoothing": (
        "smoke/gcn",
        {
            **DENSE,
            "model.depth": 48,
            "model.dropout": 0.0,
            "model.activation": "identity",
            "normalizer": "orthogonal",
            "optimizer.lr": 0.001,
        },
        10,
        None,
    ),
    "representation collapse": (
        "smoke/res-gcn",
        {**DENSE, "model.depth": 8, "normalizer": BOUND, "model.conv": {"norm": "right"}},
        20,
        alike,
    ),
    "non-finite": ("smoke/res-gcn", {**GRAPH, "model.depth": 400, "normalizer": "none"}, 3, None),
    "unstable training": (
        "smoke/res-gcn",
        {**GRAPH, "model.depth": 8, "normalizer": BOUND, "optimizer.lr": 1.0},
        20,
        None,
    ),
    "underfitting": (
        "smoke/res-gcn",
        {**GRAPH, "model.depth": 16, "normalizer": BOUND, "optimizer.lr": 1e-6},
        10,
        None,
    ),
}


def judged(case: str, seed: int) -> Diagnosis:
    """Train one of the cases and return the verdict on it."""
    recipe, changes, epochs, spoil = CASES[case]
    built = zoo.build(recipe, {**changes, "training.duration": epochs}, seed=seed)
    if spoil:
        spoil(built)
        batch = next(iter(built.task.batches(0)))
        initial = snapshot(built.network, evidence_probes(), lambda: built.task.loss(built.network.train(), batch))
        built = replace(built, reading=initial)
    found = diagnosis_of(built, built.trainer().fit())
    assert found is not None
    return found


def main(seeds: int) -> None:
    """Print how often each case is judged as what it is, and what else it is taken for."""
    torch.set_num_threads(1)
    print("| made to be | right | else |\n|---|---|---|")
    for case in CASES:
        verdicts = Counter(judged(case, seed).verdict for seed in range(seeds))
        others = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.items() if verdict != case)
        print(f"| {case} | {verdicts[case]}/{seeds} | {others} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
