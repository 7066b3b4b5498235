"""NodeNorm's five variants against numpy, node by node."""

import numpy as np
import pytest
import torch

from zoo.errors import BuildError
from zoo.normalizers.node import NodeNorm

VARIANTS = ["n", "v", "m", "srv", "pr"]


@pytest.fixture
def x() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


@pytest.mark.parametrize("variant", VARIANTS)
def test_formula(x, variant) -> None:
    """Each variant is the paper's formula, computed for one node after the other."""
    rows = []
    for row in x.numpy():
        mean, std = np.mean(row), np.sqrt(np.var(row) + 1e-3)
        rows.append(
            {
                "n": (row - mean) / std,
                "v": row / std,
                "m": row - mean,
                "srv": row / np.sqrt(std),
                "pr": row / np.cbrt(std),
            }[variant]
        )
    norm = NodeNorm(8, variant=variant, p=3 if variant == "pr" else None, eps=1e-3)
    torch.testing.assert_close(norm(None, x), torch.from_numpy(np.stack(rows)), rtol=0, atol=1e-12)


def test_n_is_layer_normalisation(x) -> None:
    """Variant n, the default, is PyTorch's layer normalisation without affine parameters."""
    torch.testing.assert_close(NodeNorm(8)(None, x), torch.nn.functional.layer_norm(x, (8,)), rtol=0, atol=1e-12)


def test_root_defaults_to_two(x) -> None:
    """Variant pr without p is srv."""
    assert torch.equal(NodeNorm(8, variant="pr")(None, x), NodeNorm(8, variant="srv")(None, x))


def test_root_belongs_to_pr() -> None:
    """A p that would not be read is an error."""
    with pytest.raises(BuildError, match=r"normalizer\.node\.p — variant srv .* variant: pr"):
        NodeNorm(8, variant="srv", p=3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient(variant, x) -> None:
    """The gradient agrees with finite differences."""
    module = NodeNorm(8, variant=variant)
    assert torch.autograd.gradcheck(lambda features: module(None, features), (x[:5].requires_grad_(),))
