"""Strict sliding windows, as the ``limits`` library counts them."""

from __future__ import annotations

import time

from limits import RateLimitItemPerSecond
from limits.aio.strategies import MovingWindowRateLimiter


class Places(RateLimitItemPerSecond):
    """``rate`` places in ``window`` seconds, which need not be whole."""

    __slots__ = ("window",)

    def __init__(self, rate: int, window: float) -> None:
        super().__init__(rate, 1, "ccp")
        self.window = window

    def get_expiry(self) -> float:  # type: ignore[override]
        """The length of the window in seconds."""
        return self.window

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """The window's key: another length is another window."""
        return super().key_for(*identifiers, self.window)


async def remaining(windows: MovingWindowRateLimiter, places: Places, name: str) -> float:
    """Seconds until a place becomes free in a window that is full."""
    stats = await windows.get_window_stats(places, name)
    # A little more: at the very end of the window the place is no longer counted, and not yet free.
    return max(0.0, stats.reset_time - time.time()) + 0.001
