"""Times that jump, as in transport streams joined end to end: every part goes on where the one before ends."""

from __future__ import annotations

from fractions import Fraction

import av

LEAP = 10  # seconds that no packet comes after all others but at a joint


class Joints:
    """Shifts the packets of one file, in the order in which they are stored.

    Its streams meet a joint one after another. They share the shift of the first that does, so that
    pictures and sound stay together.
    """

    def __init__(self) -> None:
        self._shifts = [Fraction(0)]  # seconds, part by part
        self._parts: dict[int, int] = {}  # of each stream: the part that it is in,
        self._firsts: dict[int, Fraction] = {}  # when it begins,
        self._newest: dict[int, Fraction] = {}  # when its newest packet does,
        self._ends: dict[int, Fraction] = {}  # and when that ends, both shifted

    @property
    def found(self) -> bool:
        """Whether any time jumped."""
        return len(self._shifts) > 1

    def shift(self, packet: av.Packet) -> None:
        """Let a packet come where it belongs."""
        stream, tick = packet.stream_index, packet.time_base
        part = self._parts.get(stream, len(self._shifts) - 1)
        if packet.dts is not None:
            time = packet.dts * tick
            part = self._parts[stream] = self._part(stream, time, part)
            self._firsts.setdefault(stream, time)
            self._newest[stream] = time + self._shifts[part]
            self._ends[stream] = self._newest[stream] + (packet.duration or 0) * tick
            packet.dts += round(self._shifts[part] / tick)
        if packet.pts is not None:
            packet.pts += round(self._shifts[part] / tick)

    def _part(self, stream: int, time: Fraction, part: int) -> int:
        """The part that a packet belongs to: that of the one before, one that other streams have reached, a new one."""
        if stream not in self._newest:
            return part
        for known in range(part, len(self._shifts)):
            if self._newest[stream] <= time + self._shifts[known] <= max(self._newest.values()) + LEAP:
                return known
        ahead = self._firsts[stream] - min(self._firsts.values())  # by which another stream begins before this one
        self._shifts.append(max(self._ends.values()) + ahead - time)
        return len(self._shifts) - 1
