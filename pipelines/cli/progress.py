"""A progress bar for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.intake.deliveries import Delivery
from pipelines.jobs.outcome import Lines, describe
from pipelines.store.ledger import Outcome


class Bar(Lines):
    """A bar over the files of a batch; what is not plainly accepted is printed above it."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("ingesting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=console)
        self.task = self.progress.add_task("files", total=None)

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def start(self, deliveries: Sequence[Delivery]) -> None:
        self.progress.update(self.task, total=len(deliveries))

    def done(self, outcome: Outcome) -> None:
        self.progress.advance(self.task)
        if outcome.status == "rejected" or outcome.rows_quarantined:
            self.progress.console.print(describe(outcome), markup=False, highlight=False)
