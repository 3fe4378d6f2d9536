"""Tasks that swallow a cancellation, as wait_for does in Python 3.11, still end."""

import asyncio

import pytest

from app.infra.cancellation import end_tasks


async def stubborn(swallows: int, seen: list[str]) -> None:
    """Work on through some cancellations."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            if len(seen) > swallows:
                raise


def test_a_task_that_swallows_cancellations_is_ended() -> None:
    async def run() -> list[str]:
        seen: list[str] = []
        task = asyncio.create_task(stubborn(2, seen))
        await asyncio.sleep(0)
        await end_tasks({task})
        assert task.cancelled()
        return seen

    assert asyncio.run(run()) == ["cancelled"] * 3


def test_a_caller_that_is_cancelled_meanwhile_still_ends_its_tasks() -> None:
    async def run() -> None:
        seen: list[str] = []
        task = asyncio.create_task(stubborn(2, seen))
        await asyncio.sleep(0)
        ending = asyncio.create_task(end_tasks({task}))
        await asyncio.sleep(0)
        assert not ending.done()
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert task.cancelled()

    asyncio.run(run())


def test_what_has_ended_is_left_alone() -> None:
    async def run() -> int:
        done = asyncio.create_task(asyncio.sleep(0, result=7))
        await done
        await end_tasks({done})
        return done.result()

    assert asyncio.run(run()) == 7
