"""Starting, spinning and ending ROS 2 processes: SIGINT and SIGTERM end them cleanly, with exit code 0."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from threadpoolctl import ThreadpoolController

from rgbd_perception.errors import UserError


def spin_node(factory: Callable[[], Node], args: Sequence[str] | None = None) -> int:
    """Create one node, spin it until SIGINT or SIGTERM, destroy it. Returns the exit code of the process."""
    return spin_nodes(lambda: [factory()], args)


def spin_nodes(factory: Callable[[], Sequence[Node]], args: Sequence[str] | None = None) -> int:
    """Run several nodes in one process with one single-threaded executor; see :func:`spin_node`.

    factory  makes the nodes after ``rclpy.init``; their ``destroy_node`` ends their worker threads
    args     command line without the program's name, ``--ros-args`` included; None: ``sys.argv``

    Returns 0 after a signal, 2 after a UserError (printed as one line). Other exceptions pass.

    One executor thread is enough because callbacks only sort and hand over; work runs in worker threads.
    (A multi-threaded executor of rclpy costs several times the CPU for the same messages.)
    """
    nodes: Sequence[Node] = ()
    interrupted = threading.Event()
    # rclpy ends the context on SIGINT, and with it the spinning. KeyboardInterrupt must not come on top:
    # raised within an import it leaves Python's import lock locked, and threads that import wait forever.
    signal.signal(signal.SIGINT, lambda number, frame: interrupted.set())
    try:
        _init(args)
        if not interrupted.is_set():
            nodes = factory()
            use_one_blas_thread()
            spin(nodes)
    except ExternalShutdownException:
        pass
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception:
        # A signal shuts the context down at once; a node that is just being created then fails in any of a
        # dozen ways. That is the end the user asked for.
        if rclpy.ok():
            raise
    finally:
        # `ros2 launch` repeats SIGINT: a second one must not interrupt the saving and joining of the first.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def use_one_blas_thread() -> None:
    """Let numpy's matrix products run on the thread that asks for them, unless OPENBLAS_NUM_THREADS is set.

    Those of a map are small, and the cores belong to the network: waiting for a second thread of OpenBLAS,
    which spins, took many times as long as the products.
    """
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        ThreadpoolController().select(internal_api="openblas").limit(limits=1)


def _init(args: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=None if args is None else ["rgbd_perception", *args])
    except RuntimeError as error:
        # The first sentence says what is wrong, the rest is the place in the C sources.
        problem = str(error).split(", at ")[0]
        raise UserError(f"expected ROS arguments such as --ros-args -p name:=value; {problem}") from error


def spin(nodes: Sequence[Node]) -> None:
    """Serve the callbacks of ``nodes`` until the context is shut down (raises ExternalShutdownException)."""
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    try:
        executor.spin()
    finally:
        for node in nodes:
            executor.remove_node(node)
        executor.shutdown(timeout_sec=0)
