"""Attacks on the limits of calls, by programs that know how answers cross."""

from __future__ import annotations

import pytest

from k2eval.sandbox import Call, CallResult, Limits, RunOutcome, RunResult, Sandbox

WORK = """
import os, socket, struct, threading, time
def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
def frame(text):
    body = b"V" + bytes(8) + text
    return struct.pack(">I", len(body)) + body
count = 0
"""


def ask(box: Sandbox, source: str, arguments: list[float], limits: Limits) -> RunResult:
    return box.call(WORK + source, [Call("f", [argument]) for argument in arguments], limits=limits)


def test_bytes_out_of_band_do_not_stretch_the_wall_limit(attacked: Sandbox) -> None:
    source = """
def f(x):
    channel = socket.socket(fileno=3)
    while True:
        try: channel.send(b"x", socket.MSG_OOB)
        except OSError: pass
        time.sleep(0.01)
"""
    result = ask(attacked, source, [0] * 20, Limits(cpu_s=2, wall_s=1, patient=False))
    assert (result.outcome, result.calls) == (RunOutcome.TIME_LIMIT, ())
    assert "1 s of real time" in result.message
    assert result.wall_s < 10


def test_answers_that_are_kept_back_do_not_pool_their_time(attacked: Sandbox) -> None:
    # Five fast answers, then all that is under way is computed for longer than one call may take, and answered at once.
    source = """
def f(x):
    global count
    count += 1
    if count <= 5: return 1
    work(1.4)
    os.write(3, frame(b"1") * 4)
    time.sleep(60)
"""
    result = ask(attacked, source, [0] * 9, Limits(cpu_s=1, wall_s=20))
    assert result.outcome is RunOutcome.TIME_LIMIT
    assert len(result.calls) == 5


def test_work_beside_a_call_that_waits_is_charged_to_it(attacked: Sandbox) -> None:
    source = """
def f(x):
    global count
    count += 1
    if count == 4: threading.Thread(target=work, args=(60,), daemon=True).start()
    end = time.process_time() + 1.5
    while count >= 4 and time.process_time() < end: time.sleep(0.01)
    return x
"""
    result = ask(attacked, source, [0] * 8, Limits(cpu_s=1, wall_s=60))
    assert (result.outcome, len(result.calls)) == (RunOutcome.TIME_LIMIT, 3)


def test_a_thread_of_an_earlier_call_is_charged(attacked: Sandbox) -> None:
    source = """
def f(x):
    if x == 0: threading.Thread(target=work, args=(60,), daemon=True).start()
    time.sleep(0.3)
    return x
"""
    result = ask(attacked, source, [0, 1, 2], Limits(cpu_s=5, wall_s=60))
    assert result.outcome is RunOutcome.OK
    assert sum(call.cpu_s for call in result.calls) > 0.1


def test_loading_has_the_limit_of_a_call(attacked: Sandbox) -> None:
    result = ask(attacked, "work(0.6)\ndef f(x): return x", [0] * 9, Limits(cpu_s=0.3, wall_s=20))
    assert (result.outcome, result.calls) == (RunOutcome.TIME_LIMIT, ())


def test_calls_that_are_slow_together_are_made_again_one_at_a_time(plain: Sandbox) -> None:
    asked: list[int] = []

    def stop(index: int, answer: CallResult) -> bool:
        asked.append(index)
        return False

    source = "def f(x):\n  work(x)\n  return x"
    arguments = [0.0] * 6 + [0.3] * 6
    result = plain.call(
        WORK + source, [Call("f", [x]) for x in arguments], limits=Limits(cpu_s=0.7, wall_s=60), stop=stop
    )
    assert (result.outcome, [call.value for call in result.calls]) == (RunOutcome.OK, arguments)
    assert max(call.cpu_s for call in result.calls) < 0.7
    assert asked[-12:] == list(range(12))


FRAMES = {
    "an answer before the greeting": "os.write(3, frame(b'1'))",
    "a greeting for every call": "os.write(3, b'H' * 9)",
    "a length of more than all": "os.write(3, b'\\xff\\xff\\xff\\xff')",
    "an empty frame": "os.write(3, bytes(4))",
    "only a kind": "os.write(3, b'\\0\\0\\0\\1V')",
    "an unknown kind": "os.write(3, b'\\0\\0\\0\\x09X' + bytes(8))",
    "a second load": "os.write(3, b'\\0\\0\\0\\x09L' + bytes(8))",
    "a closed end": "os.close(3)",
    "a shut end": "s = socket.socket(fileno=3); s.shutdown(socket.SHUT_RDWR); s.detach()",
    "an end that is read by the program": "socket.socket(fileno=3).setblocking(False)",
    "standard output as the channel": "os.dup2(1, 3)",
    "the channel as standard output": "os.dup2(3, 1)",
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("place", ["while loading", "in a call"])
def test_meddling_with_frames_gives_no_answer_twice(attacked: Sandbox, name: str, place: str) -> None:
    meddle = FRAMES[name]
    source = (
        f"{meddle}\ndef f(x): return 'honest'"
        if place == "while loading"
        else f"def f(x):\n  {meddle}\n  return 'honest'"
    )
    result = ask(attacked, source, [0, 1, 2], Limits(cpu_s=1, wall_s=3, patient=False))
    assert result.outcome is not RunOutcome.SANDBOX_ERROR, result
    assert len(result.calls) <= 3
    assert all(call.value in ("honest", 1, None) for call in result.calls)


def test_a_claimed_length_of_output_is_no_more_than_there_is(attacked: Sandbox) -> None:
    source = "def f(x):\n  os.write(1, b'ab')\n  os.write(3, b'\\0\\0\\0\\x0aV' + b'\\xff' * 8 + b'1')\n  time.sleep(9)"
    result = ask(attacked, source, [0], Limits(cpu_s=1, wall_s=3))
    assert [call.stdout for call in result.calls] == [b"ab"]
