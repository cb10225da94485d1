"""A progress bar for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.intake.deliveries import Delivery
from pipelines.jobs.outcome import Lines, describe
from pipelines.store.ledger import Outcome
from pipelines.text import escape_unprintable


class Bar(Lines):
    """A bar over the files of a batch, with the rows that are stored; what is not plainly accepted is printed above."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        rows = TextColumn("{task.fields[rows]:,} rows")
        columns = (TextColumn("ingesting"), BarColumn(), MofNCompleteColumn(), rows, TimeElapsedColumn())
        self.rows = 0
        self.progress = Progress(*columns, console=console)
        self.task = self.progress.add_task("files", total=None, rows=0)

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
        self.rows += outcome.rows_accepted
        self.progress.update(self.task, advance=1, rows=self.rows)
        if outcome.status == "rejected" or outcome.rows_quarantined or outcome.notes:
            self.progress.console.print(escape_unprintable(describe(outcome)), markup=False, highlight=False)
