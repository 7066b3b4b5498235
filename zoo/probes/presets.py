"""Three sets of probes, each holding the cheaper one; their cost is in docs/reading-gradients.md."""

from zoo.probes.base import SIDES, Probe
from zoo.probes.similarity import ExpansionRate, Finite, OutputError, Similarity
from zoo.probes.smoothing import MAD, Dirichlet, Rank
from zoo.probes.weights import NormalizerBound, UpdateRatio, WeightNorms, WeightSpectrum


def quick() -> list[Probe]:
    """Gradient triple μ(G), ‖G‖_F, ratio at each block, the expansion rate, and the bound c in force."""
    return [Similarity(), ExpansionRate(), NormalizerBound()]


def standard() -> list[Probe]:
    """`quick`, with representations, the limit subspace, weight norms, update ratios and the output error."""
    limits = [Similarity(of=of, subspace="limit") for of in SIDES]
    return [
        *quick(),
        Similarity(of="representations"),
        *limits,
        ExpansionRate(subspace="limit"),
        WeightNorms(),
        UpdateRatio(),
        OutputError(),
    ]


def deep() -> list[Probe]:
    """`standard`, with Dirichlet energies, MAD, ranks, weight spectra and the Jacobian gain of every block."""
    from zoo.probes.jacobian import JacobianGain

    return [
        *standard(),
        *(Similarity(of=of, subspace="degree") for of in SIDES),
        Dirichlet(normalization="degree"),
        Dirichlet(normalization="none"),
        Dirichlet(normalization="relative"),
        MAD(),
        *(Rank(of=of) for of in SIDES),
        WeightSpectrum(),
        JacobianGain(),
    ]


def evidence_probes() -> list[Probe]:
    """Probes that a verdict needs, read at the start and at the end of a run."""
    return [*standard(), Rank(), Finite(of="gradients"), Finite(of="representations")]
