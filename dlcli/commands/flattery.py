"""What is said where val promised more than test keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.events import Reporter, Warned

if TYPE_CHECKING:
    from dlcli.metrics.agreement import Agreement


def tell_of_flattery(agreement: Agreement | None, reporter: Reporter) -> None:
    """A warning where val, which chose the model, promised more than test keeps."""
    if agreement is not None and agreement.val_flattered:
        low, high = agreement.difference_interval
        reporter.report(
            Warned(
                f"val flattered: {agreement.val_accuracy:.3f} there, {agreement.test_accuracy:.3f} "
                f"on test. Chance does not explain the difference (95 % interval {low:.3f} to "
                f"{high:.3f}): the number of test is the one to trust"
            )
        )
