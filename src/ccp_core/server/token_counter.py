"""A process that counts the tokens of prompts; ``python -m ccp_core.server.token_counter``, started by server.counting.

It reads one request's JSON after the other from standard input, each behind its length in eight bytes, and writes a
line of JSON for each: its model and tokens, or what is wrong with it; nothing of one that it cannot cope with. It ends
when its input does.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import BinaryIO

import orjson

from ccp_core.protocol.events import Json
from ccp_core.protocol.messages import InvalidRequest, parse_request
from ccp_core.protocol.tokens import count

LENGTH_BYTES = 8


def main() -> None:
    """Count until the proxy hangs up."""
    # The terminal sends this to all its processes; the proxy may still have to drain, and then hangs up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _let_others_go_first()
    gc.disable()  # requests are no cycles
    with contextlib.suppress(BrokenPipeError):
        answer_all(sys.stdin.buffer, sys.stdout.buffer)


def answer_all(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer what is read from ``requests`` until it ends."""
    while len(head := requests.read(LENGTH_BYTES)) == LENGTH_BYTES:
        size = int.from_bytes(head, "big")
        data = requests.read(size)
        if len(data) < size:
            break
        answers.write(orjson.dumps(answer(data)) + b"\n")
        answers.flush()


def answer(data: bytes) -> Json:
    """What is said of one request."""
    try:
        request = parse_request(data)
        return {"model": request.model, "tokens": count(request.body)}
    except InvalidRequest as error:
        return {"invalid": str(error)}
    except Exception:  # nested too deeply, say: the proxy, which then tries it, knows what to tell the client
        return {}


def _let_others_go_first() -> None:
    """Answers must not wait for a count, not even on a machine with one core."""
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        if hasattr(os, "nice"):  # on Windows the proxy says it when it starts this process
            os.nice(10)
        if sys.platform == "linux":  # a real-time priority that the proxy may have is not for this
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    main()
