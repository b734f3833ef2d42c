"""Tasks that live and die together, and end when they are told to, also where a library forgets it."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final

# A task that has not ended so long after it was cancelled is cancelled again, in seconds.
AGAIN_S: Final = 0.5


async def run_together(main: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Run all until ``main`` returns or any of them fails, and end the rest; raises what that one raised.

    A ``TaskGroup`` cancels once, and waits for ever for a task that goes on all the same.
    """
    tasks = [asyncio.create_task(work) for work in (main, *others)]
    unfinished = set(tasks)
    try:
        while not tasks[0].done():
            done, unfinished = await asyncio.wait(unfinished, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.cancelled():
                    raise RuntimeError(f"{task.get_coro()} was cancelled")
                task.result()
    finally:
        await end(tasks)


async def within(seconds: float, work: Coroutine[Any, Any, None]) -> bool:
    """Do something, but give it up after a time; returns whether it was done, and raises what that raised."""
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    finally:
        await end([task])
    if done:
        task.result()
    return bool(done)


async def end(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel tasks until they have ended."""
    unfinished = {task for task in tasks if not task.done()}
    while unfinished:
        for task in unfinished:
            task.cancel()
        _, unfinished = await asyncio.wait(unfinished, timeout=AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # else asyncio would say that nobody has looked
