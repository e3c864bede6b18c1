"""A host gets as many requests at a time as it bears, and no more than are allowed."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest

from tessellar.config import Settings
from tessellar.errors import Interrupted, NotFound, RateLimited, Unavailable
from tessellar.net.retry import Budget, retry_after_seconds
from tessellar.net.throttle import HostLimit, Throttle


async def ask(host: HostLimit, error: Exception | None = None, seconds: float = 0) -> None:
    async with host.slot():
        await asyncio.sleep(seconds)
        if error is not None:
            raise error


def test_it_starts_at_four_and_climbs_slowly_to_the_ceiling():
    async def successes():
        host, limits = HostLimit(8), []
        for _ in range(300):
            await ask(host)
            limits.append(host.limit)
        return limits

    limits = asyncio.run(successes())
    assert limits[0] == 4
    assert limits[38] == 4
    assert limits[-1] == 8
    assert limits == sorted(limits)


@pytest.mark.parametrize("error", [RateLimited("slow down"), Unavailable("503")])
def test_trouble_halves_once_for_all_that_were_under_way(error):
    async def wave():
        host = HostLimit(8)
        await asyncio.gather(*(ask(host, error, 0.01) for _ in range(4)), return_exceptions=True)
        after_one = host.limit
        for _ in range(5):
            await asyncio.gather(ask(host, error), return_exceptions=True)
        return after_one, host.limit

    assert asyncio.run(wave()) == (2, 1)


def test_a_final_refusal_is_no_trouble_of_the_host():
    async def refused():
        host = HostLimit(8)
        await asyncio.gather(ask(host, NotFound("404")), return_exceptions=True)
        return host.limit

    assert asyncio.run(refused()) == 4


def test_never_more_at_a_time_than_the_limit_and_none_is_forgotten():
    async def crowd():
        host, most = HostLimit(3), 0

        async def one(number: int) -> None:
            nonlocal most
            async with host.slot():
                most = max(most, host.running)
                await asyncio.sleep(0.001)
                if number % 7 == 0:
                    raise Unavailable("503")

        tasks = [asyncio.create_task(one(number)) for number in range(60)]
        await asyncio.sleep(0.002)
        for task in tasks[20:30]:
            task.cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        return most, host.running, len(done)

    assert asyncio.run(crowd()) == (3, 0, 60)


def test_hosts_do_not_share_their_limits():
    throttle = Throttle(2)
    assert throttle.host("http://a:1/x") is throttle.host("http://a:1/y")
    assert throttle.host("http://a:1/x") is not throttle.host("http://b/x")
    assert throttle.host("http://a:1/x").limit == 2


def test_the_budget_is_spent_by_failures_that_bring_nothing():
    settings = Settings(attempts=3, retry_wait=0)
    budget = Budget(settings)
    error = Interrupted("cut")
    assert budget.pause(error, 1_000_000, 64_000_000) is not None
    assert budget.pause(error, 1_000_000, 64_000_000) is not None
    assert budget.pause(error, 1_000_001, 64_000_000) is not None
    assert budget.pause(error, 3_000_000, 64_000_000) is not None
    assert budget.pause(error, 0, 64_000_000) is None
    assert Budget(settings).pause(NotFound("404"), 0, None) is None


def test_no_server_can_keep_us_for_ever():
    budget, error, attempts = Budget(Settings(attempts=3, retry_wait=0)), Interrupted("cut"), 0
    while budget.pause(error, attempts * 1_000_000_000, None) is not None:
        attempts += 1
    assert attempts < 200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("-3", 0), ("1.5", 1.5), ("nan", None), ("inf", None), ("", None), (formatdate(0, usegmt=True), 0)],
)
def test_retry_after_is_read_or_ignored(value, seconds):
    assert retry_after_seconds(value) == seconds
