"""Networks for tables beside gradient boosting and scikit-learn's network, without any shift.

    python -m benchmarks backbones
    python -m benchmarks backbones --tables wine,digits --contenders realmlp,mlp --seeds 5
    python -m benchmarks backbones --json backbones.json

Rows of one domain are split at random into three quarters to train on and a quarter to test on
(adult: the split of its publishers). Printed is the accuracy, in percent, as Markdown. Boosting and
the networks for tables get data frames with text and missing values; the others get indicators of
the categories and standardized numbers, missing ones replaced by the median.
"""

import argparse
import json
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ._conditions import conditions, in_words
from ._data import DEFAULT
from ._markdown import table

BOOSTING, SKLEARN_MLP = "gradient boosting", "MLPClassifier"


def _split(X, y, seed):
    return train_test_split(X, y, random_state=seed, stratify=y)


def _adult(data, seed):
    """The published split; the seed is that of the contenders."""
    parts = [
        pd.read_csv(data / "adult" / name, skipinitialspace=True, na_values="?")
        for name in ("adult.data", "adult.test")
    ]
    y = [part.pop("target").str.startswith(">").to_numpy().astype(int) for part in parts]
    return (*parts, *y)


def _wine(data, seed):
    """White wines, good (a grade of 6 or more) or not."""
    X = pd.read_csv(data / "wine_quality" / "winequality-white.csv")
    y = (X.pop("quality") >= 6).to_numpy().astype(int)
    return _split(X, y, seed)


def _mushrooms(data, seed):
    """Which mushrooms are edible, without the smell, which alone tells nearly all."""
    X = pd.read_csv(data / "mushrooms" / "agaricus-lepiota.data", skipinitialspace=True)
    y = (X.pop("class") == "e").to_numpy().astype(int)
    return _split(X.drop(columns="odor"), y, seed)


def _music(data, seed):
    """Genres of music, clean and noisy."""
    rows = np.load(data / "music_mgr_msd" / "MGR.npy")
    return _split(pd.DataFrame(rows[:, :58]).add_prefix("x"), rows[:, -2].astype(int), seed)


def _shipped(load, data, seed):
    X, y = load(return_X_y=True, as_frame=True)
    return _split(X, y.to_numpy(), seed)


TABLES = {
    "adult": _adult,
    "wine": _wine,
    "digits": partial(_shipped, load_digits),
    "breast cancer": partial(_shipped, load_breast_cancer),
    "mushrooms": _mushrooms,
    "music": _music,
}


def _text(X):
    return [name for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])]


def _as_numbers(model):
    """A model behind indicators of categories and standardized numbers."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (words, _text), (numbers, make_column_selector(dtype_include="number"))
    )
    return make_pipeline(columns, model)


def contenders(seed):
    """Models by name, as they come."""
    # Here, so that a report can be written without torch.
    from skda import DeepSourceOnlyClassifier

    net = partial(DeepSourceOnlyClassifier, random_state=seed)
    return {
        BOOSTING: HistGradientBoostingClassifier(random_state=seed),
        SKLEARN_MLP: _as_numbers(MLPClassifier(random_state=seed)),
        "mlp": _as_numbers(net("mlp")),
        "resnet": net("resnet"),
        "realmlp": net("realmlp"),
    }


def accuracy(model, X_train, X_test, y_train, y_test):
    """Accuracy in percent, and seconds to fit."""
    # Boosting wants to be told by the type of a column what text is.
    text = dict.fromkeys(_text(X_train), "category")
    X_train, X_test = X_train.astype(text), X_test.astype(text)
    start = time.perf_counter()
    with warnings.catch_warnings():
        # Both are asked for: networks as they come, and all rows to be source rows.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=".*sample_domain")
        model.fit(X_train, y_train)
    return 100 * model.score(X_test, y_test), time.perf_counter() - start


def rows_of(tables, names, seeds, data=DEFAULT):
    """Yield accuracy and time of every contender, on every table, for every seed."""
    for name in tables:
        for seed in range(seeds):
            split = TABLES[name](data, seed)
            models = contenders(seed)
            for contender in names or models:
                score, seconds = accuracy(models[contender], *split)
                yield {
                    "table": name,
                    "rows": len(split[0]),
                    "contender": contender,
                    "seed": seed,
                    "accuracy": score,
                    "seconds": seconds,
                }


def _cell(mean, spread=np.nan):
    """A mean with its standard deviation; a dash where nothing was measured."""
    if np.isnan(mean):
        return "–"
    return f"{mean:.1f}" if np.isnan(spread) else f"{mean:.1f} ± {spread:.1f}"


def report(rows):
    """Contenders down, tables across: means over the seeds, and seconds."""
    frame = pd.DataFrame(rows)
    contenders, names = (list(dict.fromkeys(frame[key])) for key in ("contender", "table"))
    cells = frame.groupby(["contender", "table"])
    mean, spread, seconds = (
        found.unstack().reindex(index=contenders, columns=names)
        for found in (cells["accuracy"].mean(), cells["accuracy"].std(), cells["seconds"].median())
    )
    sizes, draws = (frame.groupby("table")[key] for key in ("rows", "seed"))
    sizes, draws = sizes.first(), draws.nunique()
    body = [
        [
            c,
            *(_cell(mean.loc[c, t], spread.loc[c, t]) for t in names),
            _cell(mean.loc[c].mean(skipna=False)),
        ]
        for c in contenders
    ]
    times = [[c, *(_cell(seconds.loc[c, t]) for t in names)] for c in contenders]
    seeds = ", ".join(f"{t} {draws[t]}" for t in names)
    rows_of_each = ", ".join(f"{t} {sizes[t]:,}" for t in names)
    return f"""\
### backbones

Accuracy in percent without any shift: mean and standard deviation over splits ({seeds}). Rows to
train on: {rows_of_each}. Networks and boosting with default parameters. Activation, size of the
steps and the limit of embedded columns of realmlp were chosen on two splits of wine and digits.

{table(["", *names, "mean"], body)}

### backbones-seconds

Seconds of a fit, the median; wall time, beside whatever else the machine did.

{table(["", *names], times)}"""


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks backbones",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tables", default=",".join(TABLES), help="names, joined by commas")
    parser.add_argument("--contenders", help="names, joined by commas (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="splits of each table")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    tables = options.tables.split(",")
    names = options.contenders.split(",") if options.contenders else None
    for known, given in ((TABLES, tables), (contenders(0), names or [])):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    where = conditions()
    rows = []
    for row in rows_of(tables, names, options.seeds):
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    print(f"{in_words(where)}\n\n{report(rows)}")
    if options.json:
        figures = {"conditions": where, "backbone_rows": rows}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
