from __future__ import annotations

import asyncio

import pytest

from engine.patience import Patience


async def never() -> None:
    await asyncio.Event().wait()


async def test_what_comes_in_time_is_given() -> None:
    patience = Patience()
    assert await patience.wait(asyncio.sleep(0.01, "here"), 5) == "here"
    patience.close()


async def test_what_takes_too_long_is_cancelled() -> None:
    patience, gone = Patience(), asyncio.Event()

    async def notices() -> None:
        try:
            await never()
        finally:
            gone.set()

    with pytest.raises(TimeoutError):
        await patience.wait(notices(), 0.02)
    assert gone.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_each_wait_has_its_own_time() -> None:
    patience = Patience()
    for _ in range(5):
        await patience.wait(asyncio.sleep(0.02), 0.06)  # 0.1 s in all
    with pytest.raises(TimeoutError):
        await patience.wait(never(), 0.02)
    await patience.wait(asyncio.sleep(0.01), 5)
    with pytest.raises(TimeoutError):
        await patience.wait(never(), 0.02)  # shorter than the timer that is set


async def test_no_time_runs_out_between_two_waits() -> None:
    patience = Patience()
    await patience.wait(asyncio.sleep(0), 0.02)
    await asyncio.sleep(0.05)
    assert await patience.wait(asyncio.sleep(0.01, "still"), 0.5) == "still"


async def test_somebody_elses_cancelling_stays_one() -> None:
    patience = Patience()
    task = asyncio.create_task(patience.wait(never(), 30))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
