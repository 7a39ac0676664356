"""Functions in processes of their own: results in order, and who died."""

import os
import time

from shared_sums import sleep_or_return, sum_or_die

from monodepth_ros.child_processes import Ended, in_processes


def test_results_come_in_order_and_a_killed_process_is_told():
    found = list(in_processes(sum_or_die, [[1, 2], [13], [3, 4], [5, 6]], jobs=2))
    assert [None if isinstance(f, Ended) else f[0] for f in found] == [3, None, 7, 11]
    assert found[1] == Ended("its process was ended by signal SIGKILL")
    processes = {f[1] for f in found if not isinstance(f, Ended)}
    assert len(processes) == 3 and os.getpid() not in processes


def test_whoever_stops_taking_results_ends_the_processes():
    begun = time.monotonic()
    results = in_processes(sleep_or_return, [0, 600, 600], jobs=2)
    first = next(results)
    assert isinstance(first, int)
    results.close()
    assert time.monotonic() - begun < 60
