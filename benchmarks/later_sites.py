"""The next site: a model of all other sites, which is never refitted, on one that came later.

    python -m benchmarks later_sites --draws 5 --json later_sites.json
    python -m benchmarks later_sites --families music --methods "CORAL, to common"

Every domain of a data set is the later site in turn. Standardization, map and classifier are
fitted on the labeled rows of all others; then the map learns the new site from some of its rows,
without labels (``adapt_to``), and the model predicts all rows of the site. Printed are accuracy
points with all of its rows, and what is gained over the model without a map with all rows, 100 and
20 of them: means over the sites of a data set, the worst site, and sites that lose more than a
point.
"""

import argparse
import json
import sys
import time
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import sklearn
from scipy.io import loadmat
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import (
    ComBatTransformer,
    CORALTransformer,
    DomainScaler,
    LinearTransportTransformer,
    OptimalTransportTransformer,
    QuantileTransportTransformer,
    adapt_to,
    make_domain_pipeline,
)

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from .tasks import heart_disease, music, office_caltech

SOURCE_ONLY = "no map"
ALL = 10**9
SIZES = (ALL, 100, 20)
POINT = 1.0
NEW = -2  # id of the later site

METHODS = {
    "DomainScaler": DomainScaler(),
    "ComBat": ComBatTransformer(),
    "CORAL, to source": CORALTransformer(direction="to_source"),
    "CORAL, to common": CORALTransformer(direction="to_common"),
    "LinearTransport, to source": LinearTransportTransformer(direction="to_source"),
    "LinearTransport, to common": LinearTransportTransformer(direction="to_common"),
    "QuantileTransport, to source": QuantileTransportTransformer(direction="to_source"),
    "QuantileTransport, to common": QuantileTransportTransformer(direction="to_common"),
    "OptimalTransport, to source": OptimalTransportTransformer(direction="to_source"),
}


def _office(number):
    def read(data):
        folder, files, key = office_caltech.SETS[number]
        paths = [data / folder / name for name in files.values()]
        parts = [loadmat(path) for path in paths if path.exists()]
        X = np.concatenate([part[key] for part in parts]).astype(float)
        y = np.concatenate([part["labels"].ravel() for part in parts])
        # The features of the largest variance, so that all methods take seconds.
        X = X[:, np.sort(np.argsort(-X.var(axis=0), kind="stable")[:100])]
        return X, y, np.repeat(np.arange(len(parts)), [len(part["labels"]) for part in parts])

    return read


def _heart(data):
    """The four hospitals; gaps are filled later, from the rows of the other hospitals."""
    parts = [heart_disease._read(data, name) for name in heart_disease.HOSPITALS]
    X, y = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return X, y, np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts])


FAMILIES = {
    "heart": ("uci_heart_disease", _heart),
    "music": ("music_mgr_msd", music.read),
    "office decaf": ("office_caltech10_decaf6", _office(1)),
    "office surf": ("office_caltech10_surf", _office(0)),
}


def gains_of_site(X, y, domain, site, methods, *, draws):
    """Accuracy of the model without a map in points, and by method the gain for each size."""
    known, later = domain != site, domain == site
    ids = np.where(later, NEW, domain)
    if np.isnan(X).any():
        X = heart_disease.prepared(X, np.where(later, NEW, 1))
    X = StandardScaler().fit(X[known]).transform(X)
    plain = LogisticRegression(max_iter=1000).fit(X[known], y[known])
    without = 100.0 * plain.score(X[later], y[later])
    gains = {}
    for name, method in methods.items():
        gains[name] = []
        model = make_domain_pipeline(method, LogisticRegression(max_iter=1000))
        model.fit(X[known], y[known], sample_domain=ids[known])
        for size in SIZES:
            found = []
            for seed in range(1 if size >= later.sum() else draws):
                order = np.random.default_rng(seed).permutation(np.flatnonzero(later))
                # A copy, because each draw teaches the model other rows of the site.
                adapted = adapt_to(deepcopy(model), X[order[:size]], NEW)
                predicted = adapted.predict(X[later], sample_domain=ids[later])
                found.append(100.0 * np.mean(predicted == y[later]) - without)
            gains[name].append(float(np.mean(found)))
    return without, gains


def site_table(rows):
    """By method the mean gain of each size over sites, by family, the worst site, the harmed."""
    families = sorted({row["family"] for row in rows})
    names = [n for n in METHODS if n in rows[0]["gains"]]
    sizes = ["all", *(str(size) for size in SIZES[1:])]
    header = ["rows of the new site", *families]
    header += [f"mean, {size}" for size in sizes] + [f"worst, {size}" for size in sizes]
    header += [f"harmed, {size}" for size in sizes]
    own = {f: [row["without"] for row in rows if row["family"] == f] for f in families}
    body = [[SOURCE_ONLY, *(f"{np.mean(own[f]):.1f}" for f in families), *[""] * 9]]
    for name in names:
        by_family = [
            np.mean([row["gains"][name] for row in rows if row["family"] == f], axis=0)
            for f in families
        ]
        gains = np.array([row["gains"][name] for row in rows])
        cells = [" / ".join(signed(v) for v in means) for means in by_family]
        cells += [signed(v) for v in np.mean(by_family, axis=0)]
        cells += [signed(v) for v in gains.min(axis=0)]
        cells += [str(v) for v in (gains < -POINT).sum(axis=0)]
        body.append([name, *cells])
    return table(header, body)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks later_sites",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", help="only these data sets, A,B")
    parser.add_argument("--methods", help="only methods whose names begin so, A;B")
    parser.add_argument("--draws", type=int, default=3, help="draws of 100 and of 20 rows")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    chosen = options.families.split(",") if options.families else list(FAMILIES)
    begins = tuple(options.methods.split(";")) if options.methods else ("",)
    methods = {name: m for name, m in METHODS.items() if name.startswith(begins)}
    rows = []
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: the figures tell
        for family in chosen:
            folder, read = FAMILIES[family]
            if not (options.data / folder).exists():
                continue
            X, y, domain = read(options.data)
            for site in np.unique(domain).tolist():
                start = time.perf_counter()
                without, gains = gains_of_site(X, y, domain, site, methods, draws=options.draws)
                rows.append({"family": family, "site": site, "without": without, "gains": gains})
                took = time.perf_counter() - start
                print(family, site, f"{without:.1f}", f"{took:.0f} s", file=sys.stderr, flush=True)
    if not rows:
        raise SystemExit("no data set is there")
    print(site_table(rows))
    if options.json:
        figures = {"conditions": conditions(), "draws": options.draws, "site_rows": rows}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
