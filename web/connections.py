"""One connection of a client: what it may take its time for, and how it is refused.

The server library reads requests without a thread and runs them in threads once they are whole. It
has one limit of its own, on silence: a byte a second passes it for ever. So each stage of a
connection has a deadline here.
"""

from __future__ import annotations

import contextlib
import enum
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import WSGITask
from waitress.utilities import RequestEntityTooLarge

from .clients import Proxies, client_of
from .problems import REFUSED

# Until the header of the first request is whole, and of each later one.
HEADER_SECONDS = 20.0
KEPT_ALIVE_SECONDS = 75.0
# A body may take these, and a second more for each so many bytes that came, up to the longest.
BODY_SECONDS = 20.0
BYTES_A_SECOND = 4_096
LONGEST_BODY_SECONDS = 600.0
# So much of a body that is too large is read and thrown away: hung up on while it still sends, a
# browser shows an error of its own in place of ours.
READ_AND_DROPPED = 200_000_000
# Of the start of a request so much is kept, to see what it asked for.
LINE = 1_000
_ASKED = re.compile(rb"\s*[A-Z]+ (/[^\s?]*)[\s?]")
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Stage(enum.IntEnum):
    """What a connection is at; the first are the first to go where there are too many."""

    WAITING = 0  # for a request, or for the rest of its header
    SENDING = 1  # an answer, to a client that reads it
    BODY = 2  # of a request, on its way here
    ANSWERING = 3  # a whole request is queued or being answered


class Nothing:
    """A buffer that keeps nothing."""

    def append(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass

    def __len__(self) -> int:
        return 0


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads what is too large to its end before it is refused, and keeps none of it."""

    error: Any = None
    body_rcv: Any = None
    expect_continue: bool = False
    start = b""  # of the request, as it came
    _refusal: RequestEntityTooLarge | None = None

    def received(self, data: bytes) -> int:
        if len(self.start) < LINE:
            self.start += data[:LINE]
        if self._refusal is None:
            consumed: int = super().received(data)
            if isinstance(self.error, RequestEntityTooLarge):
                self._refusal, self.error = self.error, None
                self.body_rcv.getbuf().close()
                self.body_rcv.buf = Nothing()
                # Who asks whether to send a body at all is told at once.
                over = self.expect_continue or self.content_length > READ_AND_DROPPED
                self.expect_continue = False
                self._end_where(over)
            return consumed
        consumed = self.body_rcv.received(data)
        self.body_bytes_received += consumed
        self._end_where(self.body_bytes_received > READ_AND_DROPPED)
        return consumed

    def _end_where(self, over: bool) -> None:
        self.completed = bool(over or self.body_rcv.completed or self.body_rcv.error)
        if self.completed:
            self.error, self.body_rcv = self._refusal, None


class Answer(WSGITask):  # type: ignore[misc]
    """A request answered by the application; the last of its connection where the server stops."""

    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class Refusal(Answer):
    """A request that the server could not read, refused by the application in its own words."""

    def get_environment(self) -> dict[str, Any]:
        request = self.request
        request.path = _path_of(request)
        # Of a header that could not be read the rest may be missing.
        for name, value in {"command": "GET", "query": "", "request_uri": "/"}.items():
            setattr(request, name, getattr(request, name, value))
        request.url_scheme = getattr(request, "url_scheme", "http")
        for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            request.headers.pop(name, None)
        environ: dict[str, Any] = super().get_environment()
        environ[REFUSED] = request.error
        return environ

    def execute(self) -> None:
        self.set_close_on_finish()
        super().execute()


def _path_of(request: Any) -> str:
    """What was asked for decides who is told, also where the rest could not be read."""
    path = str(getattr(request, "path", ""))
    asked = _ASKED.match(request.start)
    if path in ("", "/") and asked:
        path = asked[1].decode("latin-1")
    return path if path.startswith("/") else "/"


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection with a deadline for each of its stages.

    Attributes:
        client: who is at the other end, as `client_of` names it; None: a proxy, so many.
    """

    task_class = Answer
    error_task_class = Refusal
    parser_class = Parser
    requests: list[Any]
    request: Any
    total_outbufs_len: int

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, **options: Any) -> None:
        self.client: str | None = server.crowd.name_of(addr[0])
        self.since: float = server.clock()
        self._stage = Stage.WAITING
        self._to_send = 0
        self._allowed = HEADER_SECONDS
        super().__init__(server, sock, addr, adj, **options)

    def add_channel(self, *args: Any) -> None:
        super().add_channel(*args)
        self.server.crowd.add(self)

    def del_channel(self, *args: Any) -> None:
        super().del_channel(*args)
        self.server.crowd.remove(self)

    @property
    def stage(self) -> Stage:
        if self.requests:
            return Stage.ANSWERING
        if self.total_outbufs_len:
            return Stage.SENDING
        reading = self.request is not None and self.request.headers_finished
        return Stage.BODY if reading else Stage.WAITING

    @property
    def begun(self) -> bool:
        """Whether a part of a request has come."""
        return self.request is not None

    def received(self, data: bytes) -> bool:
        kept: bool = super().received(data)
        self.look(self.server.clock())
        return kept

    def service(self) -> None:
        super().service()
        # An answer may be given, and gone, between two looks.
        self._stage = Stage.ANSWERING

    def look(self, now: float) -> None:
        """Notices that the connection has come to another stage; the clock begins anew."""
        stage = self.stage
        if stage == self._stage:
            return
        self._stage, self.since = stage, now
        self._to_send = self.total_outbufs_len
        self._allowed = KEPT_ALIVE_SECONDS  # but for the first header, which has less

    def late(self, now: float) -> bool:
        """Whether the client has had its time for what it is at."""
        self.look(now)
        took = now - self.since
        if self._stage is Stage.WAITING:
            return took > self._allowed
        if self._stage is Stage.SENDING:
            return took > BODY_SECONDS + self._to_send / BYTES_A_SECOND
        if self._stage is Stage.BODY and self.request is not None:
            earned: float = self.request.body_bytes_received / BYTES_A_SECOND
            return took > min(LONGEST_BODY_SECONDS, BODY_SECONDS + earned)
        return False

    def drop(self) -> None:
        """Hangs up, at once; on one that is in the middle of a request, with a word."""
        if self.begun and not self.total_outbufs_len:
            with contextlib.suppress(OSError):
                self.socket.send(TOO_LATE)
        self.will_close = True
        self.handle_close()


class Crowd:
    """All connections of a server, and how many a client has."""

    def __init__(self, proxies: Proxies, most: int, most_of_a_client: int) -> None:
        self._proxies = proxies
        self._most = most
        self._most_of_a_client = most_of_a_client
        self._of: dict[str | None, set[Connection]] = defaultdict(set)
        self._count = 0
        self._leaving: list[Connection] = []

    def __iter__(self) -> Iterator[Connection]:
        return iter([one for those in list(self._of.values()) for one in list(those)])

    def __len__(self) -> int:
        return self._count

    def name_of(self, address: str) -> str | None:
        return None if address in self._proxies else client_of(address)

    def add(self, connection: Connection) -> None:
        self._of[connection.client].add(connection)
        self._count += 1

    def remove(self, connection: Connection) -> None:
        those = self._of.get(connection.client, set())
        if connection in those:
            those.remove(connection)
            self._count -= 1
        if not those:
            self._of.pop(connection.client, None)

    def make_room_for(self, address: str) -> bool:
        """Whether a connection from an address may be taken; another may have to go for it."""
        client = self.name_of(address)
        if client is not None and len(self._of.get(client, ())) >= self._most_of_a_client:
            return self._part_with_one_of(self._of[client])
        return self._count < self._most or self.part_with_one()

    def part_with_one(self) -> bool:
        """Gives up one: of the client with the most of those of which one can be given up."""
        greediest = sorted(self._of.items(), key=lambda item: (item[0] is None, -len(item[1])))
        return any(self._part_with_one_of(those) for _, those in greediest)

    def _part_with_one_of(self, those: Collection[Connection]) -> bool:
        # Never one that is answered: whoever has sent a whole request gets its answer.
        idle = [one for one in those if one.stage is not Stage.ANSWERING]
        if not idle:
            return False
        leaving = min(idle, key=lambda one: (one.stage, one.since))
        self.remove(leaving)
        self._leaving.append(leaving)
        return True

    def tidy(self, now: float) -> None:
        """Hangs up on those that were given up and on who is late.

        Between two turns alone: within one, a socket that is opened might get the number of one
        that was closed, and be taken for it.
        """
        leaving, self._leaving = self._leaving, []
        for connection in leaving:
            if connection.connected and connection.stage is Stage.ANSWERING:
                self.add(connection)  # its request has become whole meanwhile
            elif connection.connected:
                connection.drop()
        for connection in self:
            if connection.late(now):
                connection.drop()
