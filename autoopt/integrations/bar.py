"""A progress bar for terminals and notebooks: ``autoopt.tune(…, callbacks=[ProgressBar()])``."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm

from autoopt.progress import Progress

_FORMAT = "{l_bar}{bar}| {n:.1f}/{total:.0f} runs [{elapsed}<{remaining}{postfix}]"


class ProgressBar:
    """Shows how much of the budget is spent, and the best score so far.

    Args:
        options: of ``tqdm.auto.tqdm``, such as ``leave`` or ``file``.

    >>> import io
    >>> bar = ProgressBar(file=io.StringIO(), leave=False)  # callbacks=[bar] of tune
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._bar: tqdm[Any] | None = None

    def __call__(self, progress: Progress) -> None:
        """Bring the bar up to date; it is closed when the study is done."""
        if self._bar is None:
            wanted = {"total": progress.budget_runs, "desc": progress.study, "bar_format": _FORMAT}
            self._bar = tqdm(**{**wanted, **self._options})
        pick = min if progress.direction == "minimize" else max
        best = pick(progress.best.items(), key=lambda pair: pair[1], default=None)
        said = {"phase": progress.phase, **({} if best is None else {progress.objective: f"{best[1]:.4g}"})}
        self._bar.set_postfix(said, refresh=False)
        self._bar.update(progress.spent_runs - self._bar.n)
        if progress.phase == "done":
            self.close()

    def close(self) -> None:
        """Let the bar stand as it is; also where a study was interrupted."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
