"""The application at an address: connections taken, requests run in threads, and a clean stop."""

from __future__ import annotations

import contextlib
import errno
import resource
import select
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from retrieval.settings import Settings

from .clients import BehindProxies, Proxies
from .connections import Connection, Crowd, Stage

# What a process has open beside its connections: the index, the model, libraries, its log.
OTHER_FILES = 200
# A connection, and the file that a large body is kept in on its way.
FILES_OF_A_CONNECTION = 2
# A stopping server waits so long for the rest of requests that it has a part of.
REST_SECONDS = 5.0
# What systems allow a process as they come.
USUAL_FILES = 1_024
TURN_SECONDS = 1.0
SHORT_TURN_SECONDS = 0.05
# Refused by the application, in its own words, from MAX_CONTENT_LENGTH on; by the server beyond it.
HEADERS_OF_PARTS = 65_536
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Door(TcpWSGIServer):  # type: ignore[misc]
    """A socket that is listened at."""

    channel_class = Connection
    crowd: Crowd
    clock: Callable[[], float]
    stopping = False

    def accept(self) -> Any:
        try:
            pair = super().accept()
        except OSError as error:
            # The next turn has room; without it this one would come again and again.
            if error.errno in FULL and self.crowd.part_with_one():
                return None
            raise
        if pair is not None and not self.crowd.make_room_for(pair[1][0]):
            pair[0].close()
            return None
        return pair

    def maintenance(self, now: float) -> None:
        """The library's own limits; those of Crowd stand in their place."""

    def take_all(self) -> None:
        """Takes the connections that the system has accepted already."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        for _ in range(self.adj.backlog):
            if not poll.poll(0):
                return
            self.handle_accept()


class Server:
    """Listens from the moment that it is made; `run` answers until `stop` is called.

    Attributes:
        listens: pairs of address and port.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        *,
        host: str,
        port: int,
        threads: int,
        trusted_proxy: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises OSError where it cannot listen there, SettingsError for a proxy that is none."""
        proxies = Proxies(trusted_proxy)
        self._map: dict[int, Any] = {}
        self._clock = clock
        self._stopping = False
        self._seconds = settings.stop_seconds
        adjustments = Adjustments(
            host=host,
            port=port,
            threads=threads,
            ident=None,
            # Crowd keeps the limit: beyond this one the library takes nobody, whoever waits.
            connection_limit=2**31,
            # Looks at who is being answered, too: for who is gone no photo is decoded any more.
            channel_request_lookahead=1,
            asyncore_use_poll=True,  # select() takes no file beyond the 1,024th
            # Else it would write a gigabyte to disk before the application could refuse it.
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + HEADERS_OF_PARTS,
        )
        crowd = Crowd(proxies, connections_for(settings.connections), settings.client_connections)
        self.crowd = crowd
        self._dispatcher = ThreadedTaskDispatcher()
        self._doors: list[Door] = []
        try:
            for sockinfo in adjustments.listen:
                door = Door(
                    BehindProxies(app, proxies),
                    self._map,
                    dispatcher=self._dispatcher,
                    adj=adjustments,
                    sockinfo=sockinfo,
                )
                door.crowd, door.clock = crowd, clock
                self._doors.append(door)
        except OSError:
            wasyncore.close_all(self._map)
            raise
        self._dispatcher.set_thread_count(threads)
        self.listens = [(door.effective_host, int(door.effective_port)) for door in self._doors]

    def run(self) -> int:
        """Answers until it is told to stop; then answers what it has accepted, for a bounded time.

        Returns how many requests it could not answer in that time.
        """
        while not self._stopping:
            self._turn(TURN_SECONDS)
        left = self._finish()
        for connection in self.crowd:
            connection.drop()
        self._dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)
        return left

    def stop(self) -> None:
        """Ends `run`; may be called by a handler of signals, and from other threads, and again."""
        if self._stopping:
            return
        self._stopping = True
        for door in self._doors:
            door.stopping = True
        # Where it was awake it may have ended by now, and closed what it is woken by.
        with contextlib.suppress(OSError):
            self._doors[0].pull_trigger()

    def _finish(self) -> int:
        began = time.monotonic()
        for door in self._doors:
            door.take_all()
            # Its trigger stays: threads that have an answer wake this one by it.
            wasyncore.dispatcher.close(door)
        # What clients had sent by now is read before it is seen who has sent nothing.
        self._turn(0.0)
        self._turn(SHORT_TURN_SECONDS)
        while True:
            waited = time.monotonic() - began
            for connection in self.crowd:
                ended = connection.stage is Stage.WAITING and not connection.begun
                part = connection.stage in (Stage.WAITING, Stage.BODY)
                if ended or (part and waited > REST_SECONDS):
                    connection.drop()
            if not len(self.crowd) or waited > self._seconds:
                return sum(len(connection.requests) for connection in self.crowd)
            self._turn(SHORT_TURN_SECONDS)

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)
        self.crowd.tidy(self._clock())


def connections_for(wanted: int) -> int:
    """How many connections the limit on open files leaves, at most as many as wanted."""
    return max(8, min(wanted, (open_files()[0] - OTHER_FILES) // FILES_OF_A_CONNECTION))


def files_for(connections: int) -> int:
    """How many files a server of so many connections may have open."""
    return OTHER_FILES + connections * FILES_OF_A_CONNECTION


def open_files() -> tuple[int, int]:
    """How many files this process may have open, and to how many it may raise that itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (2**31 if soft == resource.RLIM_INFINITY else soft), hard


def raise_open_files(connections: int) -> str | None:
    """Raises the limit on open files as far as is needed and may be; says, in a line, if it was
    low."""
    wanted = files_for(connections)
    soft, hard = open_files()
    if soft >= wanted:
        return None
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):
        limit = soft
    if limit < wanted:
        return (
            f"the limit on open files is low: {limit:,}, enough for "
            f"{connections_for(connections):,} connections at once and not for {connections:,}; "
            f"raise it by ulimit -n {wanted} (LimitNOFILE={wanted} of systemd)"
        )
    if soft < USUAL_FILES:
        return f"the limit on open files was low: {soft:,}; it is {limit:,} now"
    return None
