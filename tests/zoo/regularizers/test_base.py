"""The regulariser that is none."""

from zoo.regularizers.base import NoRegularizer


def test_it_changes_nothing(graph, x):
    """Graph, features and outputs are handed back as they are, and nothing is added to the loss."""
    none = NoRegularizer()
    assert none.drop_edges(graph) is graph
    assert none.features(graph, x) is x
    assert none.mix(graph, x, x + 1).equal(x + 1)
    assert none.penalty(None) is None
