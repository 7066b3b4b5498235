"""The zoo as a user has it: a recipe, and the trainer's own loop, stopped between two epochs."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch

import zoo
from compared.contestant import Contestant
from zoo.engine.buffers import Buffers
from zoo.training.outcome import Measured, Row


class ZooTraining(Contestant):
    """A trainer's `fit` in a thread of its own, which runs for one epoch at a time and waits for its turn in between.

    An epoch lasts from the moment when the trainer is given a batch to the moment when it asks for the next one. So
    whatever the trainer does of itself is in it, wherever in its loop it does so. Only one epoch a step is understood:
    the whole graph.

    overrides: what is changed in the recipe. largest: if given, no matrix of a block starts with a larger Frobenius
    norm. threads: of the CPU.
    """

    def __init__(
        self,
        name: str,
        recipe: str,
        overrides: Mapping[str, Any],
        *,
        largest: float | None = None,
        threads: int = 1,
    ) -> None:
        super().__init__(name)
        here = {"execution.device": "cpu", **overrides, "execution.threads": threads}
        self.built = zoo.build(recipe, here)
        if largest is not None:
            self._shrink(largest)
        self._turn, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._seconds = 0.0
        self._over = False
        self._error: BaseException | None = None
        self._batches = self.built.task.batches
        self.built.task.batches = self._paced
        self._thread = threading.Thread(target=self._fit, daemon=True)
        self._thread.start()

    def epoch(self) -> float:
        """Let the trainer go on until it asks for the next batch."""
        self._turn.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self._seconds

    def rest(self) -> None:
        """Give back the buffers, so that an epoch has to ask for them again."""
        Buffers.clear_all()

    def close(self) -> None:
        """End the training."""
        self._over = True
        self._turn.release()
        self._thread.join()

    def measured(self, row: Measured) -> None:
        """Keep the curve; called by the trainer after every validation."""
        self.losses.append(row["loss"])
        self.vals.append(row["val"])

    def probed(self, row: Row) -> None:
        """Nothing: the next row is as good."""

    def _fit(self) -> None:
        try:
            self._turn.acquire()
            if not self._over:
                self.built.trainer((self,)).fit()
                raise RuntimeError(f"{self.name} ended by itself after {len(self.losses)} epochs: {self.losses[-3:]}")
        except _Over:
            pass
        except BaseException as error:
            self._error = error
            self._done.release()

    def _paced(self, epoch: int, start: int = 0) -> Iterator[Any]:
        if epoch > 0:
            self._seconds = time.perf_counter() - self._began
            self._done.release()
            self._turn.acquire()
            if self._over:
                raise _Over
        self._began = time.perf_counter()
        yield from self._batches(epoch, start)

    @torch.no_grad()
    def _shrink(self, largest: float) -> None:
        for matrix in self.built.network.block_matrices().values():
            matrix.mul_((largest / torch.linalg.vector_norm(matrix)).clamp(max=1.0))


class _Over(Exception):
    """The measurement has ended in the middle of the training."""
