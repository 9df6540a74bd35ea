from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

from k2eval.errors import DataError
from k2eval.tasks.scicode import read_targets
from k2eval.tasks.scicode.targets import steps_with_targets, target_files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "test_data.h5"
    with h5py.File(path, "w") as target:
        target["1.1/test1/var1"] = 2.5
        target["1.1/test2/var1"] = "up"
        target["1.1/test3/var1"] = [1.0, 2.0]
        target["1.1/test3/var2"] = True
        target["1.2/test1/var1/list/var1"] = [1, 2]
        target["1.2/test1/var1/list/var2"] = 3
        target["1.2/test2/var1/a"] = [1.0]
        target["1.2/test2/var1/0.5"] = [2.0]
        matrix = sparse.csr_matrix(np.array([[0.0, 1.0], [2.0, 0.0]]))
        for name in ("data", "indices", "indptr", "shape"):
            target[f"1.2/test3/var1/sparse_matrix/{name}"] = getattr(matrix, name)
            target[f"1.2/test4/var1/m/sparse_matrix/{name}"] = getattr(matrix, name)
    return path


def test_numbers_texts_and_several_values(file: Path) -> None:
    number, text, pair = read_targets((str(file),), "1.1", 3)
    assert number == 2.5
    assert text == "up"
    assert isinstance(pair, tuple)
    assert pair[0].tolist() == [1.0, 2.0]
    assert pair[1]


def test_lists_dictionaries_and_matrices(file: Path) -> None:
    items, mapping, matrix, inside = read_targets((str(file),), "1.2", 4)
    assert [np.asarray(item).tolist() for item in items] == [[1, 2], 3]
    assert set(mapping) == {"a", 0.5}
    assert matrix.toarray().tolist() == [[0.0, 1.0], [2.0, 0.0]]
    assert inside["m"].toarray().tolist() == [[0.0, 1.0], [2.0, 0.0]]


def test_the_first_file_that_has_the_step_is_read(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "a.h5"
    with h5py.File(other, "w") as target:
        target["9.9/test1/var1"] = 1.0
    files = tuple(str(path) for path in target_files([tmp_path]))
    assert files == (str(file), str(other))
    assert read_targets(files, "9.9", 1) == (1.0,)
    assert steps_with_targets(files) == {"1.1", "1.2", "9.9"}


@pytest.mark.parametrize(
    ("step", "count", "message"), [("7.7", 1, "step 7.7 are missing"), ("1.1", 4, "1.1/test4")]
)
def test_what_is_missing_is_named(file: Path, step: str, count: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_targets((str(file),), step, count)


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_text("no")
    with pytest.raises(DataError, match="Cannot read SciCode's targets"):
        read_targets((str(broken),), "1.1", 1)
