"""What a chain of reversible operators keeps: the first input, the last output, and nothing in between."""

from torch import Tensor
from torch.utils.weak import TensorWeakRef

from zoo.errors import BuildError


class Kept:
    """An operator's output: held until the next operator has used it, and lent by that one in the backward pass.

    way_out: what a user can do who sees one of its errors.
    """

    def __init__(self, x: Tensor, way_out: str) -> None:
        self.lent: Tensor | None = None
        self._own: Tensor | None = x.detach()  # not the output itself, which holds the node that holds this
        self._version = x._version
        self._elsewhere = TensorWeakRef(x)
        self._way_out = way_out

    @staticmethod
    def of(x: Tensor) -> "Kept | None":
        """What the node that made x holds of it; None where x is no reversible operator's output."""
        found = getattr(x.grad_fn, "kept", None)
        return found if isinstance(found, Kept) else None

    def release(self) -> None:
        """Hold the output no longer: it will be lent."""
        self._own = None

    def take(self) -> Tensor:
        """The output, from whoever has it. Raises: BuildError if nobody has, or if it was overwritten."""
        lent, self.lent = self.lent, None
        if lent is not None:
            return lent
        found = self._own if self._own is not None else self._elsewhere()
        if found is None:
            raise BuildError(
                "reversible blocks — a block's output is gone, and the loss does not reach the block after it — "
                "expected a loss of the last block's output, or that this output is held until the backward pass — "
                f"{self._way_out}"
            )
        if found._version != self._version:
            raise BuildError(
                "reversible blocks — a block's input or output was overwritten before the backward pass, which starts "
                f"from it — expected operations that are not in place — {self._way_out}"
            )
        return found.detach()
