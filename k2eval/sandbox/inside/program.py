"""The code of the process that becomes the submission: a program, a module that is called, or a recorded driver.

After the filter is installed, everything shares its process with hostile code. Nothing here is a defence. All data
that leave this process are the program's claim, and the other side treats them so.
"""

from __future__ import annotations

import _socket
import atexit
import gc
import io
import os
import struct
import sys
import threading
from types import CodeType, ModuleType
from typing import Any

from k2eval.sandbox import wire
from k2eval.sandbox.inside.natural import natural

FILE = "/submission/main.py"
CHANNEL = 3
ERROR_CHARACTERS = 2000

wire.simplify = natural


def open_standard_streams() -> None:
    """Open ``sys.stdin``, ``sys.stdout`` and ``sys.stderr`` over descriptors 0, 1 and 2, as Python makes them."""
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        raw = io.FileIO(descriptor, mode, closefd=False)
        raw.name = f"<{name}>"
        buffer = io.BufferedReader(raw, 1 << 16) if mode == "r" else io.BufferedWriter(raw, 1 << 13)
        stream = io.TextIOWrapper(
            buffer,
            encoding="utf-8",
            errors="backslashreplace" if name == "stderr" else "strict",
            line_buffering=name == "stderr",
        )
        stream.mode = mode  # type: ignore[misc]  # as Python sets it
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def new_module(name: str) -> ModuleType:
    """Make an empty module that looks like a script loaded from `FILE`, registered under ``name``."""
    module = ModuleType(name)
    module.__dict__.update(
        __file__=FILE, __builtins__=sys.modules["builtins"], __annotations__={}, __cached__=None
    )
    sys.modules["__main__"] = sys.modules[name] = module
    sys.argv[:] = [FILE]
    return module


def run_program(code: CodeType, module: ModuleType, finalise: bool) -> None:
    """Execute ``code`` as ``__main__`` and end the process as Python would."""
    finish(execute(code, module) or 0, module if finalise else None)


def execute(code: CodeType, module: ModuleType) -> int | None:
    """Execute ``code`` in ``module``; the exit status when it asked for an end or failed, else None."""
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        return exit_status(error)
    except BaseException as error:
        report(error)
        return 1
    return None


def exit_status(error: SystemExit) -> int:
    """Return the exit status that a `SystemExit` asks for."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    try:
        sys.stdout.flush()
        print(code, file=sys.stderr)
    except BaseException:
        return 1
    return 1


def report(error: BaseException) -> None:
    """Print the traceback without the frames of this file."""
    trace = error.__traceback__
    try:
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<sandbox"):
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException:
        os.write(2, type(error).__name__.encode(errors="replace") + b"\n")


def finish(status: int, module: ModuleType | None = None) -> None:
    """Wait for threads, run exit handlers, flush, and end the process without unwinding what lies below.

    With ``module`` its names are dropped first, for programs that count on ``__del__`` or on files being flushed.
    """
    try:
        # If nothing waits to be joined or called, all that it would do is touch memory.
        if getattr(threading, "_shutdown_locks", True) or getattr(threading, "_threading_atexits", True):
            threading._shutdown()  # type: ignore[attr-defined]  # has no public name
        atexit._run_exitfuncs()
        if module is not None:
            drop_names(module.__dict__)
    except BaseException as error:
        report(error)
    os._exit(flush_standard_streams(status))


def flush_standard_streams(status: int) -> int:
    """Flush the program's output; return the exit status, which tells if standard output takes no more."""
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        try:
            stream = sys.__dict__[name]
            if stream is not None and not is_closed(stream):
                stream.flush()
        except BaseException as error:
            if name == "stdout":
                status = status or 120
                os.write(2, f"Exception ignored while flushing standard output: {error!r}\n".encode()[:500])
    return status


def drop_names(names: dict[str, Any]) -> None:
    """Let go of all names: objects with a finaliser first, as long as what their ``__del__`` uses is still there."""
    finalisers = [name for name, value in names.items() if hasattr(type(value), "__del__")]
    for name in (*finalisers, *reversed(names)):
        if name != "__builtins__":
            names[name] = None
    gc.collect()


def is_closed(stream: Any) -> bool:
    """Tell whether a stream reports that it is closed; a stream that cannot report is open, as for Python."""
    try:
        return bool(stream.closed)
    except Exception:
        return False


# ------------------------------------------------------------------------------------------------ called functions


def run_calls(code: CodeType, module: ModuleType) -> None:
    """Load the module, then answer one frame after another until the channel closes."""
    channel = _socket.socket(fileno=CHANNEL)
    # The kernel attaches this process's identity: the other side can then read its CPU clock.
    channel.sendall(b"H")
    status = execute(code, module)
    if status is not None:
        finish(status)
    sys.stdout.flush()
    send(channel, b"L" + os.fstat(1).st_size.to_bytes(8, "big"))
    buffer, budget = bytearray(), wire.Budget()
    while True:
        budget.renew()
        request = receive(channel, buffer)
        if request is None:
            finish(0)
            return
        send(channel, answer(module.__dict__, request, budget))


def answer(names: dict[str, Any], request: bytes, budget: wire.Budget) -> bytes:
    """Return the reply to one call: its kind, the length of standard output so far, and the rest.

    The kinds are ``V`` with the tagged value, ``E`` with the error, and ``M`` if memory ran out.
    """
    try:
        target, arguments, *keywords = wire.loads(request, budget)
        value = resolve(names, target)(*arguments, **(keywords[0] if keywords else {}))
        kind, body = b"V", wire.dumps(value)
    except MemoryError:
        kind, body = b"M", b""
    except BaseException as error:
        kind, body = b"E", describe(error)
    try:
        sys.stdout.flush()
    except BaseException as error:
        kind, body = b"E", describe(error)
    return kind + os.fstat(1).st_size.to_bytes(8, "big") + body


def resolve(names: dict[str, Any], target: str) -> Any:
    """Return the function, or the method of a fresh instance, that ``target`` names."""
    first, *rest = target.split(".")
    if first not in names:
        raise NameError(f"name {first!r} is not defined")
    value = names[first]
    for name in rest:
        value = getattr(value() if isinstance(value, type) else value, name)
    return value


def describe(error: BaseException) -> bytes:
    """Return ``"ValueError: message"``, limited in length."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = type(error).__name__
    return text[:ERROR_CHARACTERS].encode(errors="replace")


def send(channel: _socket.socket, payload: bytes) -> None:
    """Send one frame: four bytes of length, then the payload."""
    channel.sendall(struct.pack(">I", len(payload)) + payload)


def receive(channel: _socket.socket, buffer: bytearray) -> bytes | None:
    """Receive the next frame; return None if the channel is closed. ``buffer`` keeps the bytes after it."""
    while True:
        if len(buffer) >= 4:
            end = 4 + int.from_bytes(buffer[:4], "big")
            if len(buffer) >= end:
                frame = bytes(buffer[4:end])
                del buffer[:end]
                return frame
        part = channel.recv(1 << 18)
        if not part:
            return None
        buffer += part


# --------------------------------------------------------------------------------------------------- recorded runs


def run_recorded(code: CodeType, module: ModuleType, driver: CodeType, inputs: bytes) -> None:
    """Execute the submission, then the driver in the same namespace with its inputs and ``emit``."""

    def emit(value: object) -> None:
        """Append the tagged form of ``value`` to the records."""
        payload = wire.dumps(value)
        data = struct.pack(">I", len(payload)) + payload
        while data:
            data = data[os.write(CHANNEL, data) :]

    module.__dict__["emit"] = emit
    status = execute(code, module)
    if status is None:
        module.__dict__.update(wire.loads(inputs), emit=emit)
        status = execute(driver, module)
    finish(status or 0)
