"""CPU time and memory of all that this process starts, by looking at it twice a second."""

import threading
import time
from typing import Self

import psutil

_EVERY_SECONDS = 0.5


class Watch:
    """Within `with`, adds up what child processes take; what lives shorter than half a second may be missed."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.peak_memory_bytes = 0
        """Of the resident sets of all of them at one moment; pages that they share are counted once each."""
        self._cpu: dict[tuple[int, float], float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._started

    def _look(self) -> None:
        this = psutil.Process()
        while not self._over.wait(_EVERY_SECONDS):
            resident = 0
            for process in this.children(recursive=True):
                try:
                    times, memory = process.cpu_times(), process.memory_info().rss
                except psutil.Error:  # it has just ended
                    continue
                self._cpu[process.pid, process.create_time()] = times.user + times.system
                resident += memory
            self.peak_memory_bytes = max(self.peak_memory_bytes, resident)
