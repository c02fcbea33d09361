"""The benchmark tool: what it prints, flags and writes, without the data that are not shipped."""

import json

import numpy as np
import pytest

from benchmarks import accuracy, device, report, speed
from benchmarks._case import Case
from benchmarks._task import Task


@pytest.fixture
def task():
    """A task whose one method draws and whose other falls short of what is published."""
    return Task(
        name="toy",
        protocol="None.",
        pairs=lambda data: ["a>b"],
        load=lambda data, pair: (np.zeros((2, 1)), np.zeros(2), np.array([1, -1])),
        methods={
            "steady": lambda X, y, sample_domain: 50.0,
            "drawn": lambda X, y, sample_domain, seed: 60.0 + seed,
        },
        published={"steady": {"a>b": 54.0}, "drawn": {"a>b": 63.0}},
    )


def test_scores_stand_beside_the_published_ones_and_shortfalls_are_flagged(task, capsys):
    rows = accuracy.run(task, None, seeds=3)
    printed = capsys.readouterr().out
    assert "50.0 (54.0)!" in printed
    assert "61.0 ± 0.8 (63.0)" in printed
    assert [row["falls_short"] for row in rows] == [True, False]
    assert [row["seeds"] for row in rows] == [1, 3]


def test_a_task_without_its_files_says_what_it_wants(tmp_path, capsys):
    accuracy.main(["wine-quality", "students", "--data", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "winequality-red.csv" in printed and "student-mat.csv" in printed


def test_a_method_that_no_task_has_is_named(capsys):
    with pytest.raises(SystemExit):
        accuracy.main(["students", "--methods", "CORAL", "nonsense"])
    assert "no method nonsense" in capsys.readouterr().err


def test_an_unknown_task_is_named_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        accuracy.main(["nonsense"])
    assert "mnist-usps" in capsys.readouterr().err


def work(n):
    return {"skda": lambda: float(n), "skada": lambda: None, "floor": lambda: None}


CASE = Case("toy", "nothing", ({"n": 10}, {"n": 20}), work)


def test_contenders_are_timed_in_turns_and_peers_only_when_asked_for(capsys):
    kept = {"memory": False, "repeats": 1, "threads": 1}
    rows = speed.run(CASE, CASE.sizes, peers=False, **kept)
    assert [row["contender"] for row in rows] == ["skda", "floor"] * 2
    assert [row["objective"] for row in rows] == [10.0, None, 20.0, None]
    assert "grows as n^" in capsys.readouterr().out
    assert len(speed.run(CASE, CASE.sizes, peers=True, **kept)) == 6


def test_sizes_can_be_replaced():
    assert speed.given_sizes(["n=7", "n=9"], CASE) == ({"n": 7}, {"n": 9})
    with pytest.raises(SystemExit, match="has no size 'k'"):
        speed.given_sizes(["k=1"], CASE)


def test_growth_is_that_of_the_seconds():
    rows = [
        {"contender": "skda", "size": {"n": n, "d": 5, "width": w}, "seconds": 1e-3 * n**w}
        for n in (10, 40)
        for w in (1.0, 2.0)
    ]
    found = [
        (name, fixed, round(power, 6))
        for _, name, fixed, power in speed.exponents(rows)
        if name == "n"
    ]
    assert found == [("n", {"width": 1.0}, 1.0), ("n", {"width": 2.0}, 2.0)]
    rows = [row for row in rows if row["size"]["width"] == 2.0]
    assert [fixed for *_, fixed, _ in speed.exponents(rows)] == [{}]
    other = [row | {"size": row["size"] | {"width": None}} for row in rows]  # no number: no growth
    assert [name for _, name, _, _ in speed.exponents(rows[:1] + other[:1])] == []


def test_where_there_is_no_such_device_nothing_is_measured(capsys):
    device.main(["--device", "cuda:99"])
    assert "nothing to measure" in capsys.readouterr().out


def test_the_page_is_written_from_the_figures(task, tmp_path, capsys):
    where = {"date": "2026-01-01", "machine": "m", "python": "3", "versions": {"numpy": "2"}}
    rows = accuracy.run(task, None, seeds=2)
    rows[-1]["chosen"] = {"alignment_weight": 0.1}
    (tmp_path / "a.json").write_text(
        json.dumps({"conditions": where, "protocols": {"toy": "None."}, "rows": rows})
    )
    row = {"group": "g", "case": "c", "size": {"n": 1}, "contender": "skda", "seconds": 2.0}
    row |= {"ours_over_it": 1.0, "objective": None, "peak_mb": None}
    (tmp_path / "s.json").write_text(
        json.dumps({"conditions": where | {"threads": 2}, "rows": [row]})
    )
    page = tmp_path / "page.md"
    report.main([str(tmp_path / "a.json"), str(tmp_path / "s.json"), "--output", str(page)])
    text = page.read_text()
    assert "| steady | 50.0 (54.0) **!** |" in text
    assert "| skda | 2 | 1 |" in text
    assert "2026-01-01, m, 2 thread(s), Python 3; numpy 2." in text


def test_the_first_candidate_within_a_standard_error_of_the_best_is_chosen():
    pytest.importorskip("torch")
    from benchmarks.tasks.deep import first_near_best

    assert first_near_best("abc", [0.90, 0.92, 0.91], 100) == "a"
    assert first_near_best("abc", [0.90, 0.92, 0.91], 10_000) == "b"
    assert first_near_best("ab", [0.993, 1.0], 157) == "a"  # one row more, however perfect
    assert first_near_best("ab", [0.5, float("-inf")], 10) == "a"


def test_nets_are_chosen_without_target_labels(monkeypatch):
    pytest.importorskip("torch")
    from benchmarks.tasks import deep

    monkeypatch.setattr(deep, "STEPS", 20)
    monkeypatch.setattr(deep, "NETS", deep.NETS[:2])
    monkeypatch.setattr(deep, "FACTORS", (1.0,))
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X = (rng.normal(size=(200, 3)) + 2.0 * y[:, None]).astype(np.float32)
    sample_domain = np.repeat([1, -2], 100)
    X[100:] += 1.0
    others = np.where(sample_domain < 0, 1 - y, y)
    choices = [deep.Choice((4,), X, labels, sample_domain) for labels in (y, others)]
    assert choices[0].net == choices[1].net
    assert choices[0].score_of_nothing == choices[1].score_of_nothing
    assert choices[0].own("DAN") == choices[1].own("DAN")
    assert choices[0].own("DeepSourceOnly") == {}
    net = deep.Net("DAN", (4,), {})
    right, wrong = (net(X, labels, sample_domain, seed=0) for labels in (y, others))
    assert right == pytest.approx(100.0 - wrong)
