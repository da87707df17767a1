"""From a folder of labelled pictures to a classifier you can trust and ship."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # as in typing, which would have to be imported
if TYPE_CHECKING:
    import os

    from dlcli.commands.loaded_model import LoadedModel


def load(
    run: str | os.PathLike[str] | None = None,
    *,
    runs_dir: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    max_error: float | None = None,
    coverage: float | None = None,
    top: int = 3,
    engine: str = "auto",
) -> LoadedModel:
    """A trained model, ready to predict; the same code as `dlcli predict`, and no framework.

    `run` is a run's folder or name, an exported folder, or "imagenet"; None is the latest finished
    run in `runs_dir`, which is by default where the command line looks. `threshold` (0-1) calls
    less probable answers unknown as well, `max_error` (0-1) finds the threshold with which at most
    that share of the answers given on val is wrong, `coverage` (0-1) asks for sets of classes that
    hold the true one so often. `top` is how many classes an answer names. `engine` is "auto",
    "litert" or "keras".

    Raises:
        dlcli.errors.UsageError: if there is no such run, or it cannot answer as it is asked.
        dlcli.errors.DataError: if it holds no finished model, or a damaged one.
        dlcli.errors.ResourceError: if what it needs is not installed.
    """
    from dlcli.commands.loaded_model import load_model

    return load_model(
        run,
        runs_dir,
        threshold=threshold,
        max_error=max_error,
        coverage=coverage,
        top=top,
        engine=engine,
    )
