"""The benchmark tool: what it prints, flags and writes, without the data that are not shipped."""

import argparse
import json
import re
import time
import types
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import skda
from benchmarks import (
    _default_tables,
    _excerpts,
    _pairs,
    accuracy,
    conformal,
    defaults,
    device,
    diagnose,
    few_shot,
    model_based,
    multi_task,
    nets,
    nets_choice,
    performance,
    report,
    selection,
    speed,
)
from benchmarks._case import Case
from benchmarks._task import Task
from tests import checks


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


def test_a_peer_that_is_not_installed_is_named_and_the_others_are_timed(capsys):
    def absent():
        import a_package_that_nobody_has  # noqa: F401

    def contenders(n):
        return {"skda": lambda: None, "skada absent": absent, "adapt": lambda: None}

    case = Case("toy", "nothing", ({"n": 10},), contenders)
    kept = {"peers": True, "memory": False, "repeats": 2, "threads": 1}
    rows = speed.run(case, case.sizes, **kept)
    assert [row["contender"] for row in rows] == ["skda", "adapt"]
    printed = capsys.readouterr().out
    assert "skada absent" in printed and "skipped: No module named" in printed
    broken = Case("toy", "nothing", ({"n": 10},), lambda n: {"skda": absent})
    with pytest.raises(ModuleNotFoundError):  # what is ours must be there
        speed.run(broken, broken.sizes, **kept)


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


def test_a_part_of_the_page_is_replaced_and_the_others_stay(tmp_path):
    where = {"date": "2026-01-01", "machine": "m", "python": "3", "versions": {}}
    judged = {
        "here": {"circular": [0.5, 1.0, 2.0], "never adapt": [0.0, 3.0, 0.0]},
        "there": {"circular": [0.1, 2.0, -4.0], "never adapt": [0.0, 1.0, 0.0]},
    }
    run = tmp_path / "selection.json"
    run.write_text(json.dumps({"conditions": where, "seeds": 2, "judged": judged}))
    page = tmp_path / "page.md"
    page.write_text(
        "# Figures\n\n## Accuracy\n\n### toy\n\n| | a |\n\n## Choosing without labels\n\nold\n\n"
        "## Speed\n\nfast\n\n## What is not reached\n\nMuch.\n"
    )
    report.main([str(run), "--update", str(page)])
    text = page.read_text()
    assert "old" not in text
    assert "| circular | +0.30 | 1.5 | 1.5 | −1.0 | −4.0 | 1 / 1 |" in text
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "## Accuracy",
        "## Choosing without labels",
        "## Speed",
        "## What is not reached",
    ]
    again = page.read_text()
    report.main(["--update", str(page)])
    assert page.read_text() == again


def test_performance_is_reported_by_shift_and_family(tmp_path):
    where = {"date": "2026-01-01", "machine": "m", "python": "3", "versions": {}}
    where |= {"rows": 100, "seeds": 1}
    one = {"shift": "label", "noise": 0.0, "model": "linear", "truth": 0.9, "value": 0.8}
    one |= {"known": True, "covered": True}
    names = [*performance.METHODS["classification"], "agreement", "auto"]
    real = {"family": "toy", "kind": "classification", "pair": "a>b", "truth": 0.5, "known": False}
    real |= {"covered": {m: 0.95 for m in performance.LABELS}}
    real["estimates"] = dict.fromkeys(names, 0.7) | {"agreement": 0.55}
    other = real | {"family": "game", "truth": 0.6}
    other["estimates"] = dict.fromkeys(names, 0.9) | {"cbpe": 0.6}
    run = {"conditions": where, "simulated_performance": [one, one | {"known": False}]}
    run["performance_rows"] = [real, other]
    path = tmp_path / "performance.json"
    path.write_text(json.dumps(run))
    text = performance.report(json.loads(path.read_text()))
    assert "| label, 0, linear | 2 | 50 | 0.100 | 100 |" in text
    assert "| toy | 0.20 | 0.20 | 0.20 | 0.20 | 0.20 | 0.20 | 0.05 | 0.20 |" in text
    assert "| classification, 10 | 95.0 | 95.0 |" in text
    # What is best on the one is not on the other.
    assert "| toy | cbpe | 0.200 |" in text and "| game | agreement | 0.300 |" in text
    assert report.part_of(run) == "Estimated performance"


def test_runs_of_nets_are_joined_and_written_into_the_page(tmp_path, capsys):
    where = {"date": "2026-01-01", "machine": "m", "python": "3", "versions": {}}
    for variant, score in (("A", 72.0), ("B", 61.0)):
        about = {"variant": variant, "family": "moons", "task": "moons: +30", "seed": 0}
        about |= {"score": score, "former": 70.0, "present": 65.5, "seconds": 1.0}
        shifted = about | {"family": "label-shifted", "task": "label-shifted: moons"}
        run = {"conditions": where, "options": {"seeds": 1, "rows": 1000}}
        (tmp_path / f"{variant}.json").write_text(json.dumps(run | {"net_rows": [about, shifted]}))
    both = tmp_path / "both.json"
    nets.main(["--read", *(str(tmp_path / f"{v}.json") for v in "AB"), "--json", str(both)])
    assert "Label-shifted tasks" in capsys.readouterr().out
    page = tmp_path / "page.md"
    page.write_text("# Figures\n\n## Nets at their defaults\n\nold\n\n## Speed\n\nfast\n")
    report.main([str(both), "--update", str(page)])
    text = page.read_text()
    assert "old" not in text and "fast" in text and "At most 1,000 rows" in text
    for part in text.split("### nets-label-shifted\n"):
        assert "| A | +2.0 | +2.0 | +6.5 | +6.5 | 1.0 |" in part
        assert "| B | −9.0 | −9.0 | −4.5 | −4.5 | 1.0 |" in part


DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDE = sorted((DOCS / "user_guide").glob("*.md"))
INCLUDE = re.compile(
    r'^```\{include\} (\S+)\n:start-after: "(.*)"\n:end-before: "(.*)"\n```$', re.MULTILINE
)


def choice_rows():
    """Two tasks: entropy is right on the first only, the source's score never adapts."""
    for task, accuracies in (("a", [50.0, 60.0, 80.0]), ("b", [70.0, 65.0, 40.0])):
        for i, name in enumerate(("source only", "DAN 1", "DAN 3")):
            scores = dict.fromkeys(nets_choice.SCORERS, 0.0) | {"entropy": float(i)}
            yield {
                "task": task,
                "family": task,
                "seed": 0,
                "candidate": name,
                "accuracy": accuracies[i],
                "scores": scores,
            }


def test_the_choice_of_nets_is_judged_by_the_accuracy_of_what_is_chosen(monkeypatch, tmp_path):
    monkeypatch.setattr(nets_choice, "METHODS", ("DAN",))
    rows = list(choice_rows())
    lines = nets_choice.choice_table(rows).splitlines()
    cells = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in lines}
    read = {name: [cell.strip() for cell in line] for name, line in cells.items()}
    assert read["best candidate (oracle)"] == ["75.0", "+15.0", "+0.0", "0 of 2"]
    assert read["entropy"] == ["60.0", "+0.0", "−30.0", "1 of 2"]
    assert read["source"] == ["60.0", "+0.0", "+0.0", "0 of 2"]
    text = nets_choice.method_table(rows)
    assert "| DAN, default | 62.5 | +2.5 | −5.0 | 1 of 2 |" in text
    assert "| DAN, best weight | 72.5 |" in text
    run = {"conditions": {"date": "d"}, "choice_rows": rows}
    monkeypatch.setattr(report, "in_words", lambda conditions: "*then*")
    assert "2 tasks of *nets*" in report.sections([run])["Choosing nets"]


def test_the_choice_of_nets_runs_on_a_task(monkeypatch, tmp_path, capsys):
    pytest.importorskip("skorch")
    monkeypatch.setattr(nets_choice, "METHODS", ("DAN",))
    monkeypatch.setattr(nets_choice, "WEIGHTS", (1.0,))
    small = {"max_epochs": 1, "min_steps": 0}
    usual = nets_choice.candidates

    def quick(seed):
        for name, net in usual(seed):
            yield name, net.set_params(**small)

    monkeypatch.setattr(nets_choice, "candidates", quick)
    file = tmp_path / "choice.json"
    options = ["--tasks", "blobs: moved", "--rows", "60", "--data", str(tmp_path)]
    nets_choice.main([*options, "--json", str(file)])
    rows = json.loads(file.read_text())["choice_rows"]
    names = [row["candidate"] for row in rows if not row["task"].startswith("label")]
    assert names == ["source only", "DAN 1"]
    assert all(set(row["scores"]) == set(nets_choice.SCORERS) for row in rows)
    nets_choice.main(["--read", str(file), str(file), "--json", str(tmp_path / "both.json")])
    assert len(json.loads((tmp_path / "both.json").read_text())["choice_rows"]) == 2 * len(rows)
    assert "least entropy" in capsys.readouterr().out


def test_methods_of_skada_are_variants_of_their_own(tmp_path):
    options = argparse.Namespace(
        params=None, methods=None, peers=True, tasks="blobs: moved", data=tmp_path
    )
    variants, _ = nets.chosen(options)
    assert "SKADA DANN" in [variant.name for variant in variants]
    net = nets.build(variants[0], seed=3)
    assert net.name == "DeepCoral" and net.seed == 3


def test_the_excerpts_of_the_page_are_those_of_its_tables():
    text = (DOCS / "benchmarks.md").read_text("utf-8")
    assert _excerpts.with_excerpts(text) == text
    assert len(re.findall("end of excerpt -->", text)) == len(_excerpts.EXCERPTS)


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_every_include_of_the_guide_finds_its_table(page):
    text = page.read_text("utf-8")
    found = INCLUDE.findall(text)
    assert len(found) == text.count("```{include}")
    for file, begin, end in found:
        target = (page.parent / file).read_text("utf-8")
        assert target.count(begin) == 1
        assert target.split(begin)[1].split(end)[0].strip().startswith("| ")


def test_every_excerpt_is_shown_in_the_guide():
    begins = {begin for page in GUIDE for _, begin, _ in INCLUDE.findall(page.read_text("utf-8"))}
    assert begins == {_excerpts.BEGIN.format(name) for name in _excerpts.EXCERPTS}


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_no_table_of_the_guide_repeats_figures_by_hand(page):
    figure = re.compile(r"[+−-]?\d*\.\d+")
    typed = [
        line
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("|") and sum(bool(figure.match(c.strip())) for c in line.split("|")) > 1
    ]
    assert not typed, "include the table from docs/benchmarks.md, see benchmarks/_excerpts.py"


def test_cells_of_excerpts_have_no_flags_and_means_have_the_digits_of_their_row():
    page = "### t\n\n| | a | b |\n| --- | --- | --- |\n| x | 1.0 ± 0.5 (2.0) **!** | 2.5 |\n"
    tables = _excerpts.tables_of(page + "\nChosen: c.\n\n| | a |\n| --- | --- |\n| x | 9 |\n")
    assert _excerpts.cell(tables["t"]["x"], "a") == "1.0 ± 0.5 (2.0)"
    assert _excerpts.cell(tables["t"]["x"], _excerpts.ALL) == "1.8"


def test_the_selection_study_reads_real_pairs_from_the_accuracy_tasks(tmp_path, capsys):
    selection.main(["heart", "digits", "--data", str(tmp_path), "--seeds", "1"])
    printed = capsys.readouterr().out
    assert printed.count("skipped") == 5
    module = types.SimpleNamespace(
        TASKS=[types.SimpleNamespace(load=lambda data, pair: (X, y, sample_domain))]
    )
    X, y, sample_domain = np.arange(40.0)[:, None], np.arange(40) % 2, np.repeat([1, -2], 20)
    X[3] = np.nan
    drawn, _, ids, *_ = selection.real(module, "a>b", None, n_drawn=5)(tmp_path, 0)
    assert drawn.shape == (10, 1) and (ids > 0).sum() == 5
    assert np.isfinite(drawn).all()


def test_a_scorer_is_as_good_as_what_it_chooses():
    truth = np.array([0.5, 0.9, 0.7])
    scores = np.tile(truth[:, None], (1, len(selection.SCORERS)))
    scores[:, 0] = [0.3, 0.1, 0.2]  # the first scorer, that of the source, prefers not to adapt
    rows = selection.judge(scores)
    assert rows["source"][1:] == pytest.approx((40.0, 0.0))
    assert rows["circular"] == pytest.approx((1.0, 0.0, 40.0))
    assert rows["never adapt"][1:] == pytest.approx((40.0, 0.0))


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


def options(**more):
    """Options of the defaults command that a test needs."""
    values = {"methods": None, "params": None, "families": None, "tasks": None, "kind": None}
    values |= {"seeds": 1, "rows": 60, "learner": "linear", "deep": False}
    return argparse.Namespace(**values | more)


def test_every_public_shallow_estimator_is_measured_or_left_out_with_a_reason():
    public = {type(estimator).__name__ for estimator in checks.all_estimators()}
    shallow = {name for name in public if name in skda.__all__}
    measured = {v.estimator for v in defaults.chosen_variants(options())}
    assert measured == shallow - set(defaults.LEFT_OUT)
    assert set(defaults.LEFT_OUT) < shallow


def test_every_variant_is_fitted_beside_what_it_is_compared_with(tmp_path):
    pair = next(p for p in _pairs.PAIRS if p.family == "scanners")
    labels = _pairs.load(pair, str(tmp_path))[1]
    assert set(labels) == set(range(10))
    variants = defaults.chosen_variants(
        options(methods="DomainScaler,KMMWeighter,LabelShiftClassifier,TrAdaBoostClassifier")
    )
    how = {"rows": 120, "variants": variants, "learner": "linear"}
    rows = {row["variant"]: row for row in defaults.run_draw(pair, tmp_path, 0, **how)}
    assert not [row["note"] for row in rows.values() if "note" in row]
    assert list(rows) == [v.name for v in variants]
    assert {"target_only", "pooled"} <= set(rows["TrAdaBoostClassifier, linear"])
    assert "target_only" not in rows["KMMWeighter"]
    # Source-only is the pipeline without the method, on the same rows.
    X, y, ids = _pairs.draw(pair, tmp_path, rows=120, seed=0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = skda.make_domain_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(X, y, sample_domain=ids)
    right = 100.0 * np.mean(model.predict(X[ids < 0]) == y[ids < 0])
    assert rows["DomainScaler"]["source_only"] == pytest.approx(right)


def test_target_labels_do_not_reach_an_unsupervised_method(tmp_path):
    pair = next(p for p in _pairs.PAIRS if p.family == "scanners")
    own = defaults.Draw(pair, tmp_path, rows=120, seed=0, learner="linear")
    variant = defaults.Variant("scaled", "DomainScaler")
    with sklearn.config_context(enable_metadata_routing=True):
        right = own.measure(variant)["score"]
        own.y = np.where(own.ids < 0, (own.y + 1) % 10, own.y)
        wrong = own.measure(variant)["score"]
    assert right > 50.0 > wrong  # the predictions stay, the labels do not


def test_what_fails_or_takes_too_long_is_noted_and_the_run_goes_on(monkeypatch, tmp_path):
    pair = next(p for p in _pairs.PAIRS if p.family == "scanners")
    monkeypatch.setattr(defaults, "TIME_LIMIT", 2.0)
    monkeypatch.setattr(defaults, "_slow", set())

    def busy(*args, **more):
        end = time.perf_counter() + 60.0
        while time.perf_counter() < end:
            pass

    monkeypatch.setattr(skda.DomainScaler, "fit_transform", busy)
    variants = [
        defaults.Variant("slow", "DomainScaler"),
        defaults.Variant("wrong", "CORALTransformer", {"reg": -1.0}),
        defaults.Variant("right", "GFKTransformer"),
    ]
    rows = defaults.run_draw(pair, tmp_path, 0, rows=60, variants=variants, learner="neighbors")
    assert rows[0]["note"].startswith("over 2 s")
    assert "reg" in rows[1]["note"]
    assert "score" in rows[2]


def test_variants_come_from_the_command_line_and_from_a_file(tmp_path):
    file = tmp_path / "variants.json"
    file.write_text(json.dumps({"weak": {"estimator": "CORALTransformer", "params": {"reg": 9}}}))
    texts = ['CORALTransformer:{"reg": 0.1}', 'half=KMMWeighter:{"weighted__target_share": null}']
    found = defaults.chosen_variants(options(params=[*texts, str(file)]))
    named = {v.name: v.params for v in found}
    assert named["CORALTransformer"] == {} and named["weak"] == {"reg": 9}
    assert named["CORALTransformer reg=0.1"] == {"reg": 0.1}
    assert set(named) - {"CORALTransformer", "CORALTransformer reg=0.1", "weak"} == {
        "half",
        "KMMWeighter",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CORALTransformer:{reg: 1}", "no JSON"),
        ('CORALTransformer:{"rge": 1}', "rge"),
        ("Nonsense:{}", "no estimator Nonsense"),
        ('KMMWeighter=KMMWeighter:{"reg": 2}', "two variants have one name"),
    ],
)
def test_a_variant_that_cannot_be_run_is_refused_before_the_run(text, message):
    with pytest.raises(SystemExit, match=message):
        defaults.chosen_variants(options(params=[text]))


def figures(variant, gains, **more):
    """Rows of a variant with these gains by (family, pair)."""
    return [
        {"variant": variant, "estimator": "E", "family": family, "kind": "classification"}
        | {"pair": pair, "seed": 0, "score": 50.0 + gain, "source_only": 50.0}
        | {"seconds": 1.0, "warnings": []}
        | more
        for (family, pair), gain in gains.items()
    ]


def test_families_weigh_the_same_however_many_pairs_they_have():
    rows = figures("E", {("a", "1"): 2.0, ("a", "2"): 4.0, ("b", "1"): -7.0})
    found = _default_tables.summary(rows)
    assert found["classification"] == pytest.approx((3.0 - 7.0) / 2)
    assert np.isnan(found["regression"])
    assert (found["worst"], found["worst_pair"]) == (-7.0, "b 1")
    assert (found["helped"], found["harmed"], found["pairs"]) == (2, 1, 3)


def test_the_variant_is_chosen_without_the_family_left_out():
    first = figures("E", {("a", "1"): 0.0, ("b", "1"): 0.0, ("c", "1"): 0.0})
    other = figures("other", {("a", "1"): 8.0, ("b", "1"): -5.0, ("c", "1"): -1.0})
    lines = _default_tables.leave_one_family_out({"E": first, "other": other})
    found = {line["family"]: (line["chosen"], line["gain"], line["best"]) for line in lines}
    assert found["a"] == ("E", 0.0, "other")  # on b and c the other one loses
    assert found["b"] == ("other", -5.0, "E")
    assert found["c"] == ("other", -1.0, "E")


def test_one_family_alone_does_not_choose_for_all():
    first = figures("E", {("a", "1"): 0.0, ("b", "1"): 0.0, ("c", "1"): 0.0, ("d", "1"): 0.0})
    other = figures(
        "other", {("a", "1"): 160.0, ("b", "1"): -6.0, ("c", "1"): -6.0, ("d", "1"): 0.0}
    )
    lines = _default_tables.leave_one_family_out({"E": first, "other": other})
    assert {line["family"]: line["chosen"] for line in lines}["d"] == "E"


def test_draws_that_one_variant_has_not_done_do_not_count_for_the_others():
    first = figures("E", {("a", "1"): -9.0, ("a", "2"): 1.0, ("b", "1"): 0.0})
    other = figures("other", {("a", "2"): 2.0, ("b", "1"): 0.0})
    gains = _default_tables.common_gains({"E": first, "other": other}, "source_only")
    assert gains["E"] == {("a", "classification", "2"): 1.0, ("b", "classification", "1"): 0.0}


def test_tables_of_a_run_are_read_back(tmp_path, capsys):
    rows = figures("E", {("a", "1"): 2.0, ("b", "1"): -3.0})
    rows += figures("few", {("a", "1"): 5.0}, target_only=54.0, pooled=40.0, estimator="F")
    failed = {k: v for k, v in rows[0].items() if k not in ("score", "source_only")}
    rows.append(failed | {"variant": "failed", "note": "ValueError: no"})
    (tmp_path / "a.json").write_text(json.dumps({"default_rows": rows}))
    more = {"default_rows": figures("E", {("a", "1"): 2.0}), "options": "of the second"}
    (tmp_path / "b.json").write_text(json.dumps(more))
    files = [str(tmp_path / name) for name in ("a.json", "b.json", "both.json", "a.md")]
    defaults.main(["--read", *files[:2], "--json", files[2], "--markdown", files[3]])
    assert json.loads((tmp_path / "both.json").read_text()) == {"default_rows": rows}
    printed = capsys.readouterr().out
    assert "| E | −0.5 | – | −0.5 | −3.0 (b 1) | 1/2 | 1/2 | 0 % | 1.00 |" in printed
    assert "| few | +1.0 |" in printed and "| few | +15.0 |" in printed
    assert "failed, 1 draws of classification: ValueError: no" in printed
    assert (tmp_path / "a.md").read_text() in printed


def test_a_table_of_another_day_replaces_its_own_and_keeps_the_others():
    old = "## Accuracy\n\nOld machine.\n\n### a\n\nold a\n\n### b\n\nold b"
    new = "## Accuracy\n\nNew machine.\n\n### b\n\nnew b\n\n### c\n\nnew c"
    joined = report.with_new_tables(old, new)
    assert joined.split("\n\n") == [
        *("## Accuracy", "Old machine.", "### a", "old a"),
        *("### b", "New machine.", "new b", "### c", "New machine.", "new c"),
    ]
    assert report.with_new_tables(old, None) == old
    assert report.with_new_tables(None, new) == new


def shot_rows(scores):
    """Rows of a run of few_shot: one score for each method, data set and number of labels."""
    return [
        {"family": family, "pair": "a>b", "shots": shots, "method": name, "score": score}
        | {"spread": 0.5}
        for name, own in scores.items()
        for family, score in own.items()
        for shots in few_shot.SHOTS
    ]


def test_gains_of_few_shots_are_over_pooled_training():
    scores = {"pooled": {"one": 50.0, "two": 60.0}, "prototypes": {"one": 58.0, "two": 58.0}}
    text = few_shot.gain_table(shot_rows(scores))
    assert "| prototypes, 3 | +3.0 | −2.0 (two a>b) | 1/2 |" in text
    assert "| prototypes | 58.0 ± 0.5 | 58.0 ± 0.5 |" in few_shot.score_table(shot_rows(scores), 1)


def test_the_setting_for_a_data_set_is_chosen_on_the_others():
    scores = {
        "pooled": {"one": 50.0, "two": 50.0, "three": 50.0},
        "prototypes 0": {"one": 99.0, "two": 51.0, "three": 51.0},
        "prototypes 1": {"one": 45.0, "two": 53.0, "three": 53.0},
        "propagation": {"one": 50.0, "two": 50.0, "three": 50.0},
    }
    text = few_shot.left_out_table(shot_rows(scores))
    assert "| one | prototypes 1 | −5.0 | propagation | +0.0 |" in text
    # 49 points on one data set count as ten.
    text = few_shot.setting_table(shot_rows(scores))
    assert "| prototypes 0 | +17.0 | +4.0 | +1.0 | 0/9 |" in text


def test_labeled_rows_are_target_rows_of_every_class():
    y, d = np.repeat([0, 1], 40), np.tile([1, -1], 40)
    rows = few_shot.labeled_rows(y, d, 3, seed=0)
    assert (d[rows] < 0).all()
    assert np.bincount(y[rows]).tolist() == [3, 3]
    few = few_shot.labeled_rows(y[:44], d[:44], 3, seed=0)  # two target rows of one class
    assert np.bincount(y[few]).tolist() == [3, 1]


def test_few_shots_are_measured_and_reported(tmp_path, capsys):
    run, page = tmp_path / "run.json", tmp_path / "page.md"
    options = ["--families", "scanners", "--draws", "1", "--rows", "120"]
    few_shot.main([*options, "--data", str(tmp_path), "--json", str(run)])
    assert "### few-shot-gains" in capsys.readouterr().out
    report.main([str(run), "--output", str(page)])
    text = page.read_text()
    assert "## Few labels per class" in text
    assert "| pooled |" in text and "excerpt few-shot-gains" in text


def model_based_row(scores, *, pair="a>b", seed=0, family="wine"):
    about = {"family": family, "kind": "regression", "pair": pair, "seed": seed, "n_labels": 9}
    return about | {"scores": scores, "seconds": dict.fromkeys(scores, 0.1)}


def test_model_based_methods_are_ranked_and_families_count_alike():
    alone = model_based.TARGET_ONLY
    rows = [
        model_based_row({alone: 50.0, "good": 60.0, "bad": 40.0}),
        model_based_row({alone: 50.0, "good": 54.0, "bad": 52.0}, pair="b>a"),
        model_based_row({alone: 10.0, "good": 5.0, "bad": 0.0}, family="schools"),
    ]
    ranks = model_based.mean_ranks(rows)
    assert ranks == pytest.approx({alone: 0.5, "good": 1 / 6, "bad": 5 / 6})
    table = model_based.gain_table(rows).splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == ["good", alone, "bad"]
    assert "| good | 0.17 | +1.0 | +7.0 | −5.0 | −5.0 schools a>b | 0.1 |" in table


def test_runs_of_the_model_based_study_are_joined_and_written_into_the_page(tmp_path, capsys):
    where = {"date": "2026-01-01", "machine": "m", "python": "3", "versions": {}}
    files = []
    for seed in (0, 1):
        row = model_based_row({model_based.TARGET_ONLY: 1.0, "good": 2.0 + seed}, seed=seed)
        run = {"conditions": where, "labels": None, "model_based_rows": [row]}
        files.append(tmp_path / f"{seed}.json")
        files[-1].write_text(json.dumps(run))
    both = tmp_path / "both.json"
    model_based.main(["--read", *map(str, files), "--json", str(both)])
    assert "5 % of the target rows have a label (9), 1 pairs, 2 draws" in capsys.readouterr().out
    page = tmp_path / "page.md"
    report.main([str(both), "--output", str(page)])
    assert "### model-based-few" in page.read_text()
    assert "| good | 0.00 | +1.5 | +1.5 |" in page.read_text()
    other = tmp_path / "other.json"
    other.write_text(json.dumps(json.loads(both.read_text()) | {"labels": 100}))
    with pytest.raises(SystemExit, match="a file each"):
        model_based.main(["--read", str(both), str(other), "--json", str(page)])


def test_a_draw_of_the_model_based_study_gives_few_labels_and_scores_the_others(monkeypatch):
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(240, 3)), np.repeat([1, -2], 120)
    pair = _pairs.Pair("toy", "a>b", "regression", None, lambda data: (X, X[:, 0], ids))
    known = []

    def prediction(learner, X, y, X_new):
        known.append((len(X), len(X_new)))
        return np.zeros(len(X_new))

    monkeypatch.setattr(model_based, "plain_prediction", prediction)
    monkeypatch.setattr(model_based, "methods", lambda kind: [])
    how = argparse.Namespace(data=None, rows=100, labels=None)
    row = model_based.run_draw(pair, 0, how)
    # Four fifths of a small domain are drawn: 96 rows.
    assert row["n_labels"] == 5 and known[:3] == [(96, 91), (5, 91), (101, 91)]
    assert model_based.TARGET_ONLY in row["scores"]
    how.labels = 60
    assert model_based.run_draw(pair, 0, how) is None


def test_three_quarters_of_every_school_are_learnt_from():
    school = np.repeat([3, 5], [40, 8])
    learnt = multi_task.split(school, 0)
    assert learnt[school == 3].sum() == 30 and learnt[school == 5].sum() == 6
    assert not np.array_equal(learnt, multi_task.split(school, 1))


def test_explained_variance_over_all_pupils_and_within_schools():
    y, school = np.array([0.0, 2.0, 10.0, 12.0]), np.array([0, 0, 1, 1])
    levels = np.array([1.0, 1.0, 11.0, 11.0])
    over_all, within = multi_task.explained(y, levels, school)
    assert over_all == pytest.approx(100 * (1 - 4 / 104)) and within == pytest.approx(0)


def test_the_table_of_schools_has_published_figures_beside_ours():
    row = {"method": "pooled ridge", "over_all": 30.0, "within": 10.0, "seconds": 1.0}
    ridge = row | {"method": "multi-task ridge", "sharing_": 0.5, "alpha_": 96.4}
    rows = [row | {"split": 0}, row | {"split": 1, "over_all": 32.0}, ridge | {"split": 0}]
    text = multi_task.school_table(rows)
    assert "| pooled ridge | 31.0 ± 1.0 | 10.0 ± 0.0 |  | 2 |" in text
    assert "0.5, 96.4" in text and "34.3 ± 0.3" in text
    joined = multi_task.joined(
        [{"school_rows": rows}, {"school_rows": [rows[0] | {"within": 3.0}]}]
    )
    assert [r["within"] for r in joined] == [3.0, 10.0, 10.0]
    where = {"date": "2026-01-01", "machine": "m", "python": "3", "versions": {"skda": "0"}}
    assert (
        "### several-tasks"
        in report.sections([{"conditions": where, "school_rows": rows}])["Several tasks"]
    )


def test_the_conformal_study_judges_sets_and_intervals(tmp_path, capsys):
    judged = conformal.judged_intervals([[0.0, 2.0], [-np.inf, np.inf], [0.0, 1.0]], [1, 5, 3])
    assert judged == pytest.approx((2 / 3, 2.0, 1 / 3))
    sets = [[True, False], [True, True], [False, True]]
    assert conformal.judged_sets(sets, [0, 0, 0]) == pytest.approx((2 / 3, 4 / 3, 1 / 3))
    real = [
        {"family": f, "pair": f, "contender": name, "found": [[coverage, size, 0.0]] * 2}
        for f in ("a", "b")
        for name, coverage, size in (("no weights", 0.8, 1.0), ("weights", 0.91, 1.5))
    ]
    table = conformal.real_table(real)
    assert "| no weights | 0.800 | 0.800 | 0.800 | 2 of 2 | 1.00 |" in table
    assert "| weights | 0.910 | 0.910 | 0.910 | 0 of 2 | 1.50 |" in table
    conformal.main(["--parts", "real", "--data", str(tmp_path), "--draws", "1"])
    assert "no data set" in capsys.readouterr().out


def test_kinds_of_shift_are_counted_and_reported(monkeypatch, tmp_path, capsys):
    kinds = iter(["label", "covariate", "none"])
    seen = []

    def named(X, y, sample_domain, random_state):
        seen.append((np.isfinite(y[sample_domain < 0]).sum(), (sample_domain > 0).sum()))
        return types.SimpleNamespace(kind=next(kinds))

    monkeypatch.setattr(diagnose, "diagnose", named)
    file = tmp_path / "kinds.json"
    diagnose.main(["--settings", "label, noise", "--draws", "2", "--json", str(file)])
    assert "| label, noise | 1 of 2 | covariate 1 |" in capsys.readouterr().out
    diagnose.main(["--settings", "no shift, split", "--draws", "1"])
    assert seen == [(30, 500)] * 3
    report.main([str(file)])
    assert "## Kinds of shift" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        diagnose.main(["--settings", "label shift"])


# Scale.


def test_scale_tells_clear_refusals_from_faults():
    from benchmarks import scale

    clear = {"error": "MemoryError: TJMTransformer needs at least 74.5 GiB for the kernel matrix."}
    bare = {"error": "MemoryError: Unable to allocate 18.6 GiB for an array"}
    assert scale.is_refused(clear) and not scale.is_refused(bare)
    rows = [{"rows": n, "seconds": (n / 1000) ** 2} for n in (1000, 10_000, 100_000)]
    assert scale.exponent(rows) == pytest.approx(2.0)
    assert np.isnan(scale.exponent(rows[:1]))
    timed = {"method": "A", "rows": 1000, "seconds": 0.25, "gb": 0.5}
    run = {"scale_rows": [timed, {"method": "A", "rows": 2000, **clear}]}
    run["scale_rows"].append({"method": "B", "rows": 1000, **bare})
    table = scale.tables(run)
    assert "| A | 0.25 s, 0.5 GB | refused |  |" in table and "| B | **error** |" in table
    how = {"dtype": "float64", "memory": 12.0, "limit": 120.0}
    conditions = {"date": "", "machine": "", "python": "", "versions": {}}
    page = report.page([run | {"options": how, "conditions": conditions}])
    assert "## Scale" in page and "| A | 0.25 s" in page


@pytest.mark.slow
def test_scale_measures_a_process_of_its_own_and_its_limits():
    from benchmarks import scale

    # Its matrix of 4,000 x 4,000 numbers is more than what imports have held before.
    row = scale.measure("MIDATransformer", 2_000, dtype="float64", memory=4.0, limit=60)
    assert row["seconds"] > 0 and 0.05 < row["gb"] < 4
    row = scale.measure("TJMTransformer", 50_000, dtype="float32", memory=4.0, limit=60)
    assert scale.is_refused(row), row


def test_the_first_estimator_of_an_advice_is_followed():
    from benchmarks import _advice
    from skda.inspection import _shift_findings

    model = LogisticRegression()
    texts = _shift_findings.ADVICE
    with sklearn.config_context(enable_metadata_routing=True):
        assert _advice.follow(texts["none"], model, ()) is None
        weighted = _advice.follow(texts["covariate"], model, ())[-1]
        assert isinstance(weighted.weighter, skda.DomainClassifierWeighter)
        label = _advice.follow(texts["label"], model, (StandardScaler(),))
        assert isinstance(label.estimator[-1], LogisticRegression)
        aligned = _advice.follow("DomainScaler; then CORALTransformer.", model, ())
        assert [type(step).__name__ for step in aligned] == ["DomainScaler", "TrainOnSource"]
        own = _advice.follow("TransferGaussianProcessClassifier, or", model, (StandardScaler(),))
        assert [name for name, _ in own.steps][1] == "transfergaussianprocessclassifier"


def test_shares_of_the_gain_of_the_oracle():
    from benchmarks import _advice

    def row(task, oracle, gain):
        way = {"kind": "label", "advised": "A", "gain": gain}
        return {"task": task, "oracle": oracle, "pooled": 0.0, "unlabeled": way, "labeled": way}

    rows = [row("a", 10.0, 16.0), row("a", 10.0, 20.0), row("b", 10.0, -6.0)]
    line = next(text for text in _advice.summary(rows).splitlines() if "30 target" in text)
    # 18 - 6 of 20, and 10 - 6 of 20 where no task counts more than its oracle
    assert line == "| advised, 30 target labels | +6.0 | −6.0 | 1 / 1 | 60 % | 20 % |"
    assert "| a | +10.0 | +18.0 | A |" in _advice.task_table(rows)
