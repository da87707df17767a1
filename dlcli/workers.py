"""Work on several threads or processes, its results in order."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from dlcli.errors import ResourceError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(
    work: Callable[[_In], _Out],
    inputs: Iterable[_In],
    num_workers: int,
    ahead: int = 4,
    pool: Executor | None = None,
) -> Iterator[_Out]:
    """`map` over a small pool of threads: results in input order, each as soon as it is there.
    With `pool`, of `num_workers` as well, over that one: it stays open.

    Inputs are taken lazily, by a thread of their own, at most `ahead` for each worker before
    their results are: whoever writes one input may wait for its result before writing the next.
    """
    for batch in batches_in_order(work, inputs, num_workers, 1, ahead, pool):
        yield from batch


def batches_in_order(
    work: Callable[[_In], _Out],
    inputs: Iterable[_In],
    num_workers: int,
    most: int,
    ahead: int = 4,
    pool: Executor | None = None,
) -> Iterator[list[_Out]]:
    """`in_order`, but for whom the results come faster than they are taken: up to `most` that are
    there already come together, and none waits for another."""
    from concurrent.futures import Future, ThreadPoolExecutor

    own_pool = ThreadPoolExecutor(num_workers) if pool is None else contextlib.nullcontext(pool)
    waiting: queue.Queue[Future[_Out] | None] = queue.Queue(max(most, ahead * num_workers))
    ended = threading.Event()

    def feed() -> None:
        try:
            for item in inputs:
                if ended.is_set():
                    return
                waiting.put(workers.submit(work, item))
        except BaseException as error:  # noqa: BLE001 - it is raised where the results are read
            failed: Future[_Out] = Future()
            failed.set_exception(error)
            waiting.put(failed)
        finally:
            waiting.put(None)

    with own_pool as workers:
        threading.Thread(target=feed, daemon=True).start()
        try:
            while (future := waiting.get()) is not None:
                batch = [future.result()]
                while len(batch) < most and (ready := _take_ready(waiting)) is not None:
                    batch.append(ready.result())
                yield batch
        finally:
            ended.set()
            _drain(waiting)


def _take_ready(waiting: queue.Queue[Future[_Out] | None]) -> Future[_Out] | None:
    """The next of them, where its result is there; a failure is left for later, so that what came
    before it is not lost. Only one thread takes from `waiting`."""
    with waiting.mutex:
        first = waiting.queue[0] if waiting.queue else None
    if first is None or not first.done() or first.exception() is not None:
        return None
    return waiting.get()


def _drain(waiting: queue.Queue[Future[_Out] | None]) -> None:
    """Cancels what has not begun, and makes room for a feeder that is about to put its last."""
    with contextlib.suppress(queue.Empty):
        while (future := waiting.get_nowait()) is not None:
            future.cancel()


@contextlib.contextmanager
def worker_processes(num_workers: int) -> Iterator[Executor]:
    """A pool of processes, for work that holds Python's lock too often for threads: functions of a
    module, and what can be pickled. They leave Ctrl-C to this process, and end with it however it
    ends.

    Raises:
        ResourceError: out of the block, if one of them did not live to answer.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")  # a fork of several threads may hang
    try:
        with ProcessPoolExecutor(num_workers, context, _begin_worker) as pool:
            with _interrupts_held():
                for _ in range(num_workers):  # each of these starts one
                    pool.submit(os.getpid)
            yield pool
    except BrokenProcessPool as error:
        raise ResourceError(
            "a process that did part of the work was ended from outside, or crashed.",
            fix="If memory is short, close other programs; then start again.",
        ) from error


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C comes after this block, and never to a process that is started inside."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker that waits for work would do so for ever where its parent was killed."""
    import multiprocessing

    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
