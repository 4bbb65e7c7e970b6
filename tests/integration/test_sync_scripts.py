"""Queues without asyncio in processes of their own: at their end, and over forks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter

import pytest

from naq_runtime import EmbeddedServer, NAQConfig
from tests.conftest import MakeConfig
from tests.support.history import all_events, event_types
from tests.support.processes import Finished, environment
from tests.support.server import config_for


async def script(code: str, config: NAQConfig, within: float = 30) -> Finished:
    """Run a script to its end; what Python would warn of goes to stderr, unless it is of a later version's future.

    That a loop was held up for a moment is of the machine, and left out.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", code),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(config),
    )
    async with asyncio.timeout(within):
        out, err = await process.communicate()
    assert process.returncode is not None
    said = [line for line in err.decode().splitlines(keepends=True) if not line.startswith("Executing <")]
    return Finished(process.returncode, out.decode(), "".join(said))


SCRIPT = """
from naq_runtime.sync import Queue
queue = Queue("mail")
handle = queue.enqueue("shop.tasks.send", 1)
"""


async def test_a_script_that_just_ends_has_stored_its_events(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=60)

    finished = await script(SCRIPT + "print(handle.job_id)", config)

    assert (finished.code, finished.err) == (0, "")
    assert await event_types(config, finished.out.strip()) == ["enqueued"]


async def test_a_script_that_is_interrupted_while_it_waits_ends_at_once(config: NAQConfig) -> None:
    code = SCRIPT + "import os, signal, threading\n"
    code += "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()\nhandle.result()\n"

    finished = await script(code, config)

    assert finished.code == -signal.SIGINT
    assert finished.err.rstrip().endswith("KeyboardInterrupt")
    assert finished.err.count("Traceback") == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_script_ends_in_time_and_without_a_word_when_its_server_is_away(how: signal.Signals) -> None:
    async with EmbeddedServer() as server:
        config = config_for(server.url, events__flush_interval=60)
        begun = time.monotonic()
        finished = await script(SCRIPT + f"import os; os.kill({server.pid}, {how.value})", config)
        took = time.monotonic() - begun
        if how is signal.SIGSTOP:
            os.kill(server.pid, signal.SIGCONT)

    assert finished == (0, "", "")
    assert took < 50  # events are stored once a minute


async def test_a_script_that_never_reached_its_server_ends_without_another_word() -> None:
    code = SCRIPT.replace("handle =", "try: handle =") + "except Exception as error: print(type(error).__name__)"

    assert await script(code, config_for("nats://127.0.0.1:1")) == (0, "ServerUnreachable\n", "")


async def test_a_thread_that_still_waits_at_the_end_of_its_script_ends_without_a_word(config: NAQConfig) -> None:
    code = SCRIPT + "import threading, time\n"
    code += "threading.Thread(target=handle.result, daemon=True).start()\ntime.sleep(0.3)\n"

    assert await script(code, config) == (0, "", "")


async def test_an_object_that_goes_when_python_ends_hears_that_it_is_too_late(config: NAQConfig) -> None:
    code = SCRIPT + (
        "class Last:\n"
        "    def __del__(self):\n"
        "        try: queue.enqueue('shop.tasks.send', 2)\n"
        "        except RuntimeError as error: print(error)\n"
        "import builtins; builtins.last = Last()\n"
    )

    finished = await script(code, config)

    assert (finished.code, finished.err) == (0, "")
    assert "Python is ending" in finished.out


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no thread can be started there any more")
async def test_what_is_enqueued_after_all_was_closed_at_the_end_has_its_events(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=60)
    code = "import atexit; atexit.register(lambda: print(queue.enqueue('shop.tasks.send', 2).job_id))" + SCRIPT

    finished = await script(code, config)

    assert (finished.code, finished.err) == (0, "")
    assert await event_types(config, finished.out.strip()) == ["enqueued"]


# Forks

FORKING = (
    SCRIPT
    + """
import gc, os, psutil, sys, time
with queue:
    pass
children = []
for number in range(3):
    child = os.fork()
    if not child:
        gc.collect()
        inherited = len(psutil.Process().net_connections("tcp"))
        mine = queue.enqueue("shop.tasks.send", 2)
        stand = str(inherited), handle.status(), mine.status(), queue.handle(handle.job_id).status()
        os.write(1, (" ".join(stand) + "\\n").encode())
        sys.exit(0)
    children.append(child)
    queue.enqueue("shop.tasks.send", 3)
codes = [os.waitpid(child, 0)[1] for child in children]
gc.collect()
begun = time.monotonic()
handles = [queue.enqueue("shop.tasks.send", 4) for _ in range(10)]
print(codes, handle.status(), time.monotonic() - begun < 3)
"""
)


async def test_children_have_connections_of_their_own_and_leave_the_parents_alone(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=0.5)

    finished = await script(FORKING, config)

    assert finished == (0, "0 queued queued queued\n" * 3 + "[0, 0, 0] queued True\n", "")
    events = [stored.event for stored in await all_events(config)]
    kinds = Counter(str(event.event_type) for event in events)
    assert kinds == {"startup": 4, "enqueued": 17, "shutdown": 4}


async def test_a_fork_while_other_threads_enqueue(config: NAQConfig) -> None:
    code = """
import os, sys, threading
from naq_runtime.sync import Queue
queue = Queue("mail")
threads = [threading.Thread(target=lambda: [queue.enqueue("a.b", n) for n in range(50)]) for _ in range(4)]
for thread in threads:
    thread.start()
codes = []
for number in range(8):
    child = os.fork()
    if not child:
        queue.enqueue("a.b", 0)
        sys.exit(0)
    codes.append(os.waitpid(child, 0)[1])
for thread in threads:
    thread.join()
print(codes)
"""

    assert await script(code, config) == (0, f"{[0] * 8}\n", "")


async def test_children_of_multiprocessing(config: NAQConfig) -> None:
    code = (
        SCRIPT.replace("handle =", "if __name__ == '__main__': handle =")
        + """
from multiprocessing import get_context
def produce(number):
    with Queue("mail") as queue:
        return queue.enqueue("a.b", number).job_id
with get_context("fork").Pool(2) as pool:
    ids = pool.map(produce, range(20))
print(len(set(ids)), {str(queue.handle(id).status()) for id in ids})
"""
    )

    assert await script(code, config) == (0, "20 {'queued'}\n", "")
