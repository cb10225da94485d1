"""`time.sleep` where libfaketime fakes the clock of the day alone: the system call that Python makes for it then fails.

Python loads this in every process that finds it on its path; `tests.moments` puts it there.
"""

import select
import time


def sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
