import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from k2eval.system.files import replacing, write_text


def test_a_file_is_written_whole_with_the_usual_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "table.md", "a\n")
    plain = tmp_path / "plain"
    plain.touch()
    written = tmp_path / "new" / "table.md"
    assert written.read_text() == "a\n"
    assert written.stat().st_mode == plain.stat().st_mode


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    path.write_text("before")
    with pytest.raises(ValueError, match="half way"), replacing(path) as temporary:
        temporary.write_text("part")
        raise ValueError("half way")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["table.md"]


def test_an_interrupt_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), replacing(path):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["table.md"]


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom k2eval.system.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('part')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    write_text(path, "whole")
    assert os.listdir(tmp_path) == ["table.md"]


def test_a_file_of_another_name_is_no_stale_one(tmp_path: Path) -> None:
    (tmp_path / ".table.md.x.tmp").touch()
    (tmp_path / ".a[b].md.999999999.tmp").touch()
    write_text(tmp_path / "table.md", "a")
    assert len(os.listdir(tmp_path)) == 3
    write_text(tmp_path / "a[b].md", "a")
    assert len(os.listdir(tmp_path)) == 3


def test_the_target_of_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "table.md").write_text("before")
    (tmp_path / "link.md").symlink_to(tmp_path / "real" / "table.md")
    write_text(tmp_path / "link.md", "after")
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real" / "table.md").read_text() == "after"


def test_permissions_of_an_earlier_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    path.touch(mode=0o600)
    write_text(path, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_device_is_written_to(tmp_path: Path) -> None:
    program = "from pathlib import Path\nfrom k2eval.system.files import write_text\nwrite_text(Path('/dev/stdout'), 'a')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "a"


def test_unpaired_surrogates_are_written_as_told(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "\ud800", errors="backslashreplace")
    assert (tmp_path / "a").read_text() == "\\ud800"
