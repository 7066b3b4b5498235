"""No regularisation."""

from zoo.regularizers.base import Regularizer


class NoRegularizer(Regularizer):
    """Changes nothing: training runs the network as evaluation does, but for dropout."""

    same_in_training = True
