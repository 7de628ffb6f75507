"""Keeps pages of harmless errors out of the log of a graph whose messages were built by pip."""

from __future__ import annotations

import ctypes


def forget_type_errors() -> None:
    """Call after making publishers, subscriptions, services or clients of our types, in the same thread.

    rmw_fastrtps (Kilted) looks for introspection type support, which pip-built messages do not have, only to
    announce the types. It goes on without, but leaves its error set in this thread, and the next
    failure of anything prints pages about it.
    """
    # Loaded by rclpy already: the loader finds it by name wherever it lies.
    ctypes.CDLL("librcutils.so").rcutils_reset_error()
