"""Tests run two at a time, so linear algebra keeps to one thread in each, as it does inside a trace.

Else the threads of both wait for each other: a search of one second took a minute.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
