import pytest
import torch

from compared.cases import contestants
from compared.skeleton import Skeleton


@pytest.mark.parametrize(("conv", "products"), [("gcn", 3), ("sage", 6)])
def test_the_floor_makes_the_products_of_a_step(conv, products, small, monkeypatch):
    """Its operations are those that it says, counted as they are made, and it propagates twice a block."""
    (peer,), _ = contestants(small(conv), ["dgl.nn"], {}, 1)
    skeleton = Skeleton(peer.problem)
    made = {"flops": 0, "products": 0, "propagations": 0}
    product, add, propagate = skeleton._product, skeleton._add_product, skeleton._propagate

    def counted(kind, run, of):
        def call(*arguments):
            made[kind] += 1
            a, b = of(*arguments)
            made["flops"] += 2 * a.shape[0] * a.shape[1] * b.shape[1] if kind == "products" else 0
            return run(*arguments)

        return call

    monkeypatch.setattr(skeleton, "_product", counted("products", product, lambda a, b, out: (a, b)))
    monkeypatch.setattr(skeleton, "_add_product", counted("products", add, lambda to, a, b: (a, b)))
    monkeypatch.setattr(skeleton, "_propagate", counted("propagations", propagate, lambda x, norm, out: (x, x)))
    assert skeleton.epoch() > 0
    assert made == {"flops": skeleton.flops, "products": 3 * products + 3, "propagations": 6}
    shares = skeleton.shares()
    assert min(shares[kind] for kind in ("encoder", "products", "propagations")) > 0


def test_the_floor_of_sparse_features_is_the_lower_one():
    """A bag of words is multiplied by its entries alone where that is faster, with the same result."""
    from compared.inputs import Inputs

    x = torch.zeros(3000, 1500)
    x[torch.arange(3000), torch.arange(3000) % 1500] = 1.0
    inputs = Inputs(x, 16)
    weight, g = torch.randn(1500, 16), torch.randn(3000, 16)
    assert inputs.kinds == ("sparse", "sparse")
    torch.testing.assert_close(inputs.times(weight), x @ weight)
    torch.testing.assert_close(inputs.back(g), x.t() @ g)
    assert Inputs(torch.randn(20, 10), 4).kinds == ("dense", "dense")
