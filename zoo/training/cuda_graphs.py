"""Training steps recorded as CUDA graphs, which a GPU repeats without being told each of its kernels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from zoo.errors import TrainingError

Asked = Literal["auto", "always", "never"]
Part = Callable[..., Any]

# Steps that are taken before one is recorded: libraries set themselves up, and optimisers make their state.
_WARM_UP = 3


class CudaGraphs:
    """Records the parts of a step as CUDA graphs, once, and replays them.

    A step of hundreds of blocks is thousands of kernels of a few microseconds each, and Python takes longer to ask for
    one than the GPU to run it. A replay asks for all at once. It is the same kernels on the same memory: no Python of a
    part is run again, and what it returns may be written over by the next replay of any part.

    asked: auto records where it can be done, never does not, always refuses to train where it cannot be done. why_not:
    tells why steps cannot be recorded, None where all that they are made of declares that they can; asked at once, and
    again before a recording. summary: what became of it, for the record; None on other devices than a GPU.
    Raises: TrainingError for `always` where it cannot be done.
    """

    def __init__(
        self,
        asked: Asked,
        device: torch.device,
        optimizer: torch.optim.Optimizer,
        why_not: Callable[[], str | None],
    ) -> None:
        if device.type != "cuda":
            reason = f"the device is {device.type}"
        elif not hasattr(torch.Generator, "graphsafe_set_state"):
            reason = f"PyTorch {torch.__version__} cannot undo a recording that breaks off"
        else:
            reason = why_not()
        self.asked: Asked = asked
        self._optimizer = optimizer
        self._why_not = why_not
        self._taken = 0
        self._recorded: list[_Recorded] = []
        self._evaluation: _Recorded | None = None
        self._rates: list[torch.Tensor] = []
        self._stream: Any = None
        self.summary: str | None = None
        if device.type == "cuda":
            unsettled = f"no step came after {_WARM_UP} that were alike"
            self.summary = "not asked for" if asked == "never" else unsettled
        if asked == "never":
            return
        if reason:
            if asked == "always" or device.type == "cuda":
                self._give_up(reason)
            return
        self._stream = torch.cuda.Stream(device)
        self._rates = [torch.tensor(float(group["lr"]), device=device) for group in optimizer.param_groups]

    def parts(self, *parts: Part, settled: bool) -> list[Part]:
        """The parts of a step, to be called one after the other, each with what the one before it returned.

        settled: whether nobody listens to this step, so that it does in Python just what the next ones do. As they are
        given, or, from some settled step on, replays of them.
        """
        if self._stream is None:
            return list(parts)
        if settled and self._taken >= _WARM_UP and not self._recorded:
            self._record(parts)
        if settled and self._recorded:
            self._copy_rates()
            return [recorded.replay for recorded in self._recorded]
        self._taken += 1
        return [self._beside(part) for part in parts] if self._stream is not None else list(parts)

    def evaluation(self, run: Callable[[], torch.Tensor]) -> torch.Tensor | None:
        """Return run(), by a replay, once steps are replayed, too; else None, and nothing is run."""
        if not self._recorded:
            return None
        if self._evaluation is None:
            try:
                self._evaluation = self._captured(run, (), None)
            except RuntimeError:  # it may do what a step does not; then it is done in Python
                return None
        return self._evaluation.replay()

    def forget(self) -> None:
        """Record anew: tensors of the step have been exchanged."""
        self._recorded, self._evaluation, self._taken = [], None, 0

    def _record(self, parts: tuple[Part, ...]) -> None:
        if reason := self._why_not():
            self._give_up(reason)
            return
        found: list[_Recorded] = []
        pool = torch.cuda.graph_pool_handle()  # parts hand memory on to one another
        try:
            with self._recordable():
                for part in parts:
                    found.append(self._captured(part, (found[-1].result,) if found else (), pool))
        except RuntimeError as error:
            self._give_up(str(error).strip().splitlines()[0])
        else:
            for recorded in found:
                recorded.result = _without_graph(recorded.result)
            self._recorded = found
            self.summary = f"recorded after step {self._taken}"

    def _captured(self, part: Part, given: tuple[Any, ...], pool: Any) -> "_Recorded":
        generator: Any = torch.cuda.default_generators[self._stream.device.index]
        before = generator.clone_state()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                result = part(*given)
        except RuntimeError:
            generator.graphsafe_set_state(before.graphsafe_get_state())  # else it takes itself for being recorded still
            raise
        return _Recorded(graph, result, part)

    def _give_up(self, why: str) -> None:
        if self.asked == "always":
            raise TrainingError(
                f"execution.cuda_graphs — always, but steps cannot be recorded: {why} — expected a recipe whose every "
                "step is the same kernels on one GPU — execution.cuda_graphs=auto"
            )
        self._stream, self.summary = None, f"steps cannot be recorded: {why}"

    def _beside(self, part: Part) -> Part:
        """The part on the stream that is recorded on: autograd remembers on which stream it met a parameter."""

        def run(*given: Any) -> Any:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                result = part(*given)
            torch.cuda.current_stream().wait_stream(self._stream)
            return result

        return run

    @contextmanager
    def _recordable(self) -> Iterator[None]:
        """The optimiser with learning rates that a replay reads anew, as tensors on the GPU."""
        groups = self._optimizer.param_groups
        before = [{key: group[key] for key in ("lr", "capturable") if key in group} for group in groups]
        try:
            for group, rate in zip(groups, self._rates, strict=True):
                group["lr"] = rate
                if "capturable" in group:
                    group["capturable"] = True
            yield
        finally:
            for group, kept in zip(groups, before, strict=True):
                group.update(kept)

    def _copy_rates(self) -> None:
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            rate.fill_(group["lr"])


def _without_graph(result: Any) -> Any:
    """The same tensors, without the autograd graph: it would hold on to the stream that was recorded on."""
    if isinstance(result, torch.Tensor):
        return result.detach()
    return tuple(map(_without_graph, result)) if isinstance(result, tuple) else result


class _Recorded:
    """A part's kernels, the tensors that they write its result into, and the part, for what it holds: they read it."""

    def __init__(self, graph: torch.cuda.CUDAGraph, result: Any, part: Part) -> None:
        self.graph, self.result, self.part = graph, result, part

    def replay(self, *given: Any) -> Any:
        """Run the kernels; what is given was handed on when they were recorded."""
        self.graph.replay()
        return self.result
