"""Processes that end with the test that started them, and waiting for them."""

import base64
import contextlib
import os
import pathlib
import unittest
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time

BUILD = pathlib.Path(__file__).resolve().parents[3] / "build"
BIN = pathlib.Path(os.environ.get("LEASEHOLD_BIN", BUILD / "release")).absolute()


def _is_sanitized() -> bool:
    program = BIN / "leasehold"
    if not program.exists():
        return False
    text = program.read_bytes()
    return any(name in text for name in (b"__asan_init", b"__tsan_init"))


# Of tests that bound memory, or look into it: a sanitizer keeps a shadow, and what was freed.
memory_is_its_own = unittest.skipIf(_is_sanitized(), "the memory is a sanitizer's, too")
CLIENTS = pathlib.Path(os.environ.get("LEASEHOLD_CLIENTS", BUILD / "clients")).absolute()
PATIENCE = 30.0  # seconds before a wait becomes a failure; sanitizers on a busy machine need them


def wait_until(what: str, true, seconds: float = PATIENCE, pause: float = 0.02):
    """Returns the first truthy answer of `true`, or fails naming `what`."""
    end = time.monotonic() + seconds
    while True:
        if answer := true():
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def free_port() -> int:
    """Below the range that the kernel hands out by itself, so that nobody else gets it meanwhile."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20000, 32000)
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def find(program: str, *folders: str) -> str:
    found = shutil.which(
        program, path=os.pathsep.join([*folders, os.environ["PATH"], "/usr/sbin", "/sbin"])
    )
    assert found, f"{program} is not installed; `scripts/setup test` installs it"
    return found


def mortal(command, **options) -> subprocess.Popen:
    """A child that the kernel kills when this process ends, however it ends."""
    return subprocess.Popen(
        [find("setpriv"), "--pdeathsig", "KILL", *map(str, command)],
        stdin=subprocess.DEVNULL,
        **options,
    )


class Folder:
    """A short path (unix sockets allow 107 bytes), removed at the end."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="lh", dir="/tmp"))
        self.path.chmod(0o711)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def in_threads(count: int, work) -> list:
    """Runs work(0) ... work(count - 1) at once; returns the results, raises the first failure."""
    results, failures = [None] * count, []

    def one(index):
        try:
            results[index] = work(index)
        except BaseException as failure:  # noqa: B902 (it is raised again below)
            failures.append(failure)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def random_text(size=12) -> str:
    return base64.b32encode(random.SystemRandom().randbytes(size)).decode().strip("=").lower()
