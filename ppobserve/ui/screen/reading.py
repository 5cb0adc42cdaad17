"""Reads a source beside the screen, so that a slow one never holds up a key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


async def beside(read: Callable[[], Result]) -> Result:
    """The result of *read*, which runs in a thread that nobody waits for when the program ends: unlike those of an
    executor, which hold up the exit until a silent daemon's time is over."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def run() -> None:
        result, failed = None, None
        try:
            result = read()
        except BaseException as error:  # whatever it is, it is for who awaits it
            failed = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="read", daemon=True).start()
    return await done
