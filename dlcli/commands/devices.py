"""`--device` and `--backend`: what is asked for, what there is, and what pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.events import Reporter, Warned
from dlcli.machine.device import GPU, Choice, choose_precision, doubt_precision

if TYPE_CHECKING:
    from dlcli.spec.schema import Spec


def require_for_head(choice: Choice, reporter: Reporter) -> None:
    """A head needs neither a GPU nor a framework: who asks for one hears so, and whether it is
    there.

    Raises:
        ResourceError: if it is not.
    """
    from dlcli import backend

    backend.require(choice)
    asked = [f"--device {GPU}"] if choice.device == GPU else []
    if choice.backend != Choice().backend:
        asked.append(f"--backend {choice.backend}")
    if asked:
        change = "changes" if len(asked) == 1 else "change"
        reporter.report(
            Warned(
                f"only a head is trained, which runs on the CPU without a framework: "
                f"{' and '.join(asked)} {change} nothing"
            )
        )


def start_keras(spec: Spec, choice: Choice) -> None:
    """Starts Keras as it was asked for.

    Raises:
        ResourceError: if the backend is not installed, or has no GPU where one is asked for.
    """
    from dlcli import backend

    backend.prepare(
        seed=spec.train.seed,
        backend=choice.backend,
        device=choice.device,
        deterministic=choice.deterministic,
        cluster=choice.cluster,
    )


def prepare_backend(spec: Spec, choice: Choice, reporter: Reporter) -> Spec:
    """Starts Keras as it was asked for; returns the spec with the precision that suits the device.

    Raises:
        ResourceError: if the backend is not installed, or has no GPU where one is asked for.
    """
    from dlcli import backend

    start_keras(spec, choice)
    device = backend.device()
    if (gpu := backend.missed_gpu()) is not None:
        reporter.report(
            Warned(f"{gpu.name} is not used: {choice.backend} cannot; dlcli doctor says why")
        )
    precision = choose_precision(spec.train.precision, device)
    if (doubt := doubt_precision(precision, device)) is not None:
        reporter.report(Warned(doubt))
    train = spec.train.model_copy(update={"precision": precision})
    return spec.model_copy(update={"train": train})
