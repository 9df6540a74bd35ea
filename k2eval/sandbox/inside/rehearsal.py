"""Work of the warm interpreter before any submission comes, so that it is not repeated after every fork.

While Python runs it writes into its own objects: caches of attributes, specialised byte code. A forked process pays for
each page that it writes to first, since the kernel copies it. The writes of a rehearsal are there already.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from k2eval.sandbox import wire
from k2eval.sandbox.inside import program

TIMES = 12
"""Python specialises byte code from the eighth time on."""
INPUT = b"3 4\n1 2 3 4 5 6\n7 8 9\n"
PROGRAM = r"""
import bisect, functools, heapq, itertools, math, operator, sys
from collections import Counter, defaultdict, deque
from typing import List, Optional
readline = sys.stdin.readline
class Tree:
    def __init__(self, size):
        self.size = size
        self.data = [0] * size
    def add(self, at, value):
        while at < self.size:
            self.data[at] += value
            at += at & -at
class Solution:
    def solve(self, values: List[int], k: int) -> Optional[int]:
        return min(values) + max(values) + sum(values) - k
def main():
    n, m = map(int, readline().split())
    values = list(map(int, input().split()))
    data = sys.stdin.read().split()
    rest = sys.stdin.buffer.read()
    n, more = int(data[0]), list(map(int, data[1:]))
    print(n, max(values), min(values), sum(values), Counter(values).most_common(1)[0][1])
    print(*sorted(values, reverse=True), sep=" ", end="\n")
    print("\n".join(str(value) for value in values))
    print(f"{n} {n / 3:.3f}", "%d %s" % (n, "x"), "{} {:>3}".format(n, m))
    groups = defaultdict(list)
    for index, value in enumerate(values):
        groups[value % 3].append((index, value))
    queue = deque([1, 2])
    queue.append(3); queue.popleft(); queue.extend([4]); queue.appendleft(0); queue.pop()
    heap = []
    for value in values:
        heapq.heappush(heap, (value, -value))
    heapq.heapify(heap); heapq.heappop(heap)
    seen = set(values)
    seen.add(5); seen.discard(7); seen | {1}; seen & {2}
    table = {value: key for key, value in zip(range(9), values)}
    for key, value in sorted(table.items(), key=lambda item: (-item[1], item[0])):
        table[key] = value
    table.get(1, 0); table.setdefault(9, []); table.pop(9, None); table.keys(); table.values(); table.update({3: 4})
    text = "abcab"
    text.upper(); text.lower(); text.strip(); text.rstrip(); text.split("b"); text.replace("a", "b"); text[::-1]
    text.count("a"); text.find("b"); text.index("c"); text.startswith("a"); text.endswith("b"); text.isdigit()
    text.isalpha(); text.zfill(9); text.join(["x"]); ord("a"); chr(98)
    values.append(3); values.pop(); values.sort(); values.sort(key=lambda value: -value); values.reverse()
    values.extend([1]); values.insert(0, 2); values.index(2); values.remove(2); values.count(1); values.copy()
    bisect.bisect_left(values, 3); bisect.bisect_right(values, 3); bisect.insort(values, 4)
    math.gcd(4, 6); math.sqrt(2); math.isqrt(5); math.ceil(1.5); math.floor(1.5); math.log2(8); math.inf
    abs(-1); divmod(7, 2); pow(2, 5, 7); round(2.5); bin(5)[2:]; int("101", 2); float("1.5"); bool(1)
    list(itertools.accumulate(values)); list(itertools.permutations([1, 2])); list(itertools.combinations([1, 2], 2))
    list(itertools.product([1], [2])); list(itertools.chain([1], [2])); functools.reduce(operator.add, [1, 2])
    any(value > 1 for value in values); all(values); list(filter(None, values)); list(reversed(values)); tuple(values)
    @functools.lru_cache(None)
    def count(at):
        return 1 if at < 2 else count(at - 1) + count(at - 2)
    count(9)
    grid = [[0] * 3 for _ in range(3)]
    for i in range(3):
        for j in range(3):
            grid[i][j] = i ^ j | 1 & 3 << 2 >> 1
    tree = Tree(8)
    tree.add(1, 2)
    Solution().solve(values, 1)
    try:
        int("x")
    except ValueError as error:
        str(error)
    sys.setrecursionlimit(sys.getrecursionlimit())
    sys.stdout.write("done\n")
if __name__ == "__main__":
    main()
"""
FUNCTION = """
class Solution:
    def solve(self, values, k, text="", flag=None):
        return [text, flag, k / 2, {"a": values}, (k,), [values, [values]]]
"""
VALUES = ([3, 1, 2], 7, "text", True)

COMPILED = """
def count(values):
    total, table, items = 0, {}, []
    for index in range(len(values)):
        total += values[index]
        table[index] = total
        items.append((index, total))
    items.sort()
    grid = np.zeros((2, 3), np.int64)
    return total + len(table) + len(items) + grid.sum()
"""


def compile_with_numba() -> None:
    """Have numba compile what programs use most, which it then need not do again: seconds in every run."""
    numba: Any = sys.modules["numba"]
    numpy: Any = sys.modules["numpy"]
    names: dict[str, Any] = {"np": numpy}
    exec(COMPILED, names)
    numba.njit(names["count"])(numpy.arange(3))


def rehearse() -> None:
    """Run a program and answer calls as submissions do, with descriptors 0 to 2 as files that are emptied again."""
    program_code = compile(PROGRAM, program.FILE, "exec", dont_inherit=True)
    function_code = compile(FUNCTION, program.FILE, "exec", dont_inherit=True)
    call = wire.dumps(["Solution.solve", VALUES])
    for _ in range(TIMES):
        os.pwrite(0, INPUT, 0)
        program.open_standard_streams()
        status = program.execute(program_code, program.new_module("__main__"))
        status = program.flush_standard_streams(status or 0)
        module = program.new_module("submission")
        status = status or program.execute(function_code, module) or 0
        program.answer(module.__dict__, call, wire.Budget())
        if status:
            raise RuntimeError(os.pread(2, 2000, 0).decode(errors="replace"))
        for number in (0, 1):
            os.ftruncate(number, 0)
            os.lseek(number, 0, os.SEEK_SET)
    del sys.modules["submission"]
