"""Reading rosbag2 recordings (sqlite3 and mcap) by the ``rosbags`` library, with errors of one line."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rgbd_perception.errors import FrameDropped, UserError

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader

STORAGE_ENDINGS = (".db3", ".mcap")


@dataclass(frozen=True)
class Topic:
    """One topic of a recording: name, type as "package/msg/Name", number of messages."""

    name: str
    type: str
    count: int


@dataclass(frozen=True)
class RawMessage:
    """A message as it was recorded: the time of the recorder in nanoseconds and the CDR bytes."""

    topic: str
    log_ns: int
    data: bytes


class BagReader:
    """An open recording: a folder with ``metadata.yaml``, or one or several storage files.

    Message definitions inside of the recording are not needed: all types that are read are standard ones,
    and a recording with odd definitions of other types still plays. Raises UserError where it is unreadable.
    """

    def __init__(self, path: Path) -> None:
        try:
            from rosbags.rosbag2 import Reader
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise UserError(f"bags need the library rosbags ({error}): pip install rosbags") from error
        self.path = path
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        self._stack = ExitStack()
        self._readers: list[Reader] = []
        for part in _parts(path):
            try:
                self._readers.append(self._stack.enter_context(Reader(part)))
            # The library lets some errors of sqlite, zstd and yaml through: here and below, whatever is
            # raised, the file is at fault.
            except Exception as error:
                self._stack.close()
                raise _unreadable(part, error) from error
        counts: dict[tuple[str, str], int] = {}
        for connection in self._connections():
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        self.topics = tuple(Topic(name, kind, count) for (name, kind), count in sorted(counts.items()))

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """All messages of ``topics`` in the order of the recording. Raises UserError where it is damaged."""
        try:
            yield from self._read(topics, None, None)
        except Exception as error:
            raise _unreadable(self.path, error) from error

    def message(self, topic: str, log_ns: int, stamp_ns: int) -> bytes:
        """The message of ``topic`` recorded at ``log_ns`` whose header has the stamp ``stamp_ns``.

        One that goes by a simulated clock records several messages at one time. Raises FrameDropped
        ``bag_unreadable``.
        """
        try:
            for message in self._read([topic], log_ns, log_ns + 1):
                with suppress(FrameDropped):
                    if stamp_of(message.data) == stamp_ns:
                        return message.data
        except Exception as error:
            raise FrameDropped("bag_unreadable", f"{topic} at {log_ns}: {error}") from error
        raise FrameDropped("bag_unreadable", f"{topic} has no message at {log_ns} any more")

    def decode(self, data: bytes, message_type: str) -> Any:
        """The message in ``data``. Raises FrameDropped ``message_unreadable`` for cut or wrong bytes."""
        try:
            return self._types.deserialize_cdr(data, message_type)
        except Exception as error:
            raise FrameDropped("message_unreadable", f"{message_type}: {error}") from error

    def _connections(self) -> list[Any]:
        return [connection for reader in self._readers for connection in reader.connections]

    def _read(self, topics: Collection[str], start: int | None, stop: int | None) -> Iterator[RawMessage]:
        streams = []
        for reader in self._readers:
            connections = [connection for connection in reader.connections if connection.topic in topics]
            if connections:
                streams.append(reader.messages(connections, start=start, stop=stop))
        for connection, log_ns, data in heapq.merge(*streams, key=lambda message: message[1]):
            yield RawMessage(connection.topic, log_ns, data)


def stamp_of(data: bytes) -> int:
    """Nanoseconds of the ``std_msgs/Header`` a CDR message begins with, without reading the rest of it.

    Raises FrameDropped ``message_unreadable``.
    """
    if len(data) < 12 or data[0] != 0:
        raise FrameDropped("message_unreadable", f"{len(data)} bytes do not begin with a header")
    order: Literal["little", "big"] = "little" if data[1] & 1 else "big"
    seconds = int.from_bytes(data[4:8], order, signed=True)
    return seconds * 1_000_000_000 + int.from_bytes(data[8:12], order)


def _parts(path: Path) -> list[Path]:
    """What the library opens: the file, the folder with its metadata, or all storage files of the folder."""
    if path.is_file() or (path / "metadata.yaml").is_file():
        return [path]
    parts = sorted(part for part in path.iterdir() if part.suffix in STORAGE_ENDINGS)
    if not parts:
        raise UserError(f"expected metadata.yaml, *.db3 or *.mcap in {path}, there is none")
    return parts


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(
        f"{path} cannot be read as a rosbag2 recording: {reason}; "
        "a cut one may be repaired by 'ros2 bag reindex' or 'mcap recover'"
    )
