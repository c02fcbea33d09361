"""Memory and time are judged before a large problem is begun."""

import numpy as np
import pytest

from skda import DomainWarning
from skda._numerics import _budget
from skda._numerics._budget import check_cost, check_memory

ROW = np.zeros(1)


def test_memory_that_is_not_there_is_named_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(_budget, "_free_bytes", lambda: 2**30)
    check_memory("TCA", "a matrix", 2**27, ROW, hint="Take less.")
    words = r"TCA needs at least 2.0 GiB for a matrix; 1.0 GiB are free. Take less."
    with pytest.raises(MemoryError, match=words):
        check_memory("TCA", "a matrix", 2**28, ROW, hint="Take less.")


def test_entries_count_by_their_size(monkeypatch):
    monkeypatch.setattr(_budget, "_free_bytes", lambda: 2**30)
    check_memory("TCA", "a matrix", 2**28, ROW.astype(np.float32), hint="")


def test_a_system_that_does_not_say_is_trusted(monkeypatch):
    monkeypatch.setattr(_budget, "_free_bytes", lambda: None)
    check_memory("TCA", "a matrix", 2**80, ROW, hint="")


def test_the_smallest_limit_counts(monkeypatch, tmp_path):
    for name, text in [
        ("memory.max", "1000\n"),
        ("memory.current", "900\n"),
        ("memory.stat", "anon 700\nfile 200\n"),
    ]:
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(_budget, "_CGROUP", tmp_path)
    assert _budget._free_of_container() == 300
    assert _budget._free_bytes() <= 300
    (tmp_path / "memory.max").write_text("max\n")
    assert _budget._free_of_container() is None
    (tmp_path / "memory.max").unlink()
    assert _budget._free_of_container() is None


def test_work_of_more_than_a_second_warns_with_its_cost_and_a_way_out():
    check_cost("JDA", "a matrix of 9 rows", 10**9, 0.9, ROW, hint="Take fewer rows.")
    words = r"JDA needs about 8 GB and 30 s for a matrix of 9 rows \(rough.*Take fewer rows"
    with pytest.warns(DomainWarning, match=words):
        check_cost("JDA", "a matrix of 9 rows", 10**9, 30.0, ROW, hint="Take fewer rows.")
    with pytest.warns(DomainWarning, match=r"and 5 min for"):
        check_cost("JDA", "a matrix of 9 rows", 10**9, 300.0, ROW, hint="Take fewer rows.")


def test_work_that_does_not_fit_in_memory_does_not_start(monkeypatch):
    monkeypatch.setattr(_budget, "_free_bytes", lambda: 2**30)
    with pytest.raises(MemoryError, match="Take less"):
        check_cost("JDA", "a matrix", 2**28, 0.1, ROW, hint="Take less.")
