"""The outcome of a diagnosis: findings with their evidence, as text, table, page and figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SEVERITIES = ("info", "warning", "serious")
_WIDTH = 96  # of the page of text
_COLORS = {"info": "#5a6b7b", "warning": "#b26a00", "serious": "#b3261e"}

WORDS = {
    "none": "No shift was found.",
    "covariate": "Covariate shift: rows lie elsewhere, and the labels fit a model of the source.",
    "label": "Label shift: other class proportions explain the rows, and the labels fit them.",
    "conditional": "Conditional shift: labels given the row differ from what the source teaches.",
    "subspace": "Subspace shift: labels given the row are the same along some directions only.",
    "label or covariate": "Label or covariate shift: cannot be told apart without labels.",
    "covariate or conditional": (
        "Covariate or conditional shift: cannot be told apart without labels."
    ),
    "unknown": "The rows have shifted. Without labels of the source, nothing more can be said.",
}


class Finding(NamedTuple):
    """One result of a diagnosis: what was found, how serious, on what numbers, and what follows.

    A named tuple, so that it can be compared and unpacked.

    Parameters
    ----------
    code : str
        Short name of the question, for example "OVERLAP".
    severity : {"info", "warning", "serious"}
        How much it matters.
    text : str
        What was found, one sentence.
    evidence : dict
        The numbers behind it.
    advice : str, default=""
        What follows, with the class to use; empty where nothing follows.

    See Also
    --------
    diagnose : Returns findings in a report.

    Examples
    --------
    >>> from skda.inspection import Finding
    >>> Finding("SIZE", "info", "100 source rows.", {"source_rows": 100}).code
    'SIZE'
    """

    code: str
    severity: str
    text: str
    evidence: dict
    advice: str = ""


class ShiftReport:
    """What differs between the domains, of which kind the shift is, and what follows.

    Returned by :func:`diagnose`. Printed, it is a page of text; in a notebook, a page of HTML.

    Parameters
    ----------
    kind : str
        Kind of the shift.
    findings : sequence of Finding
        In the order of the page.
    features : pandas.DataFrame
        Table of :func:`feature_shift`.
    curves : dict of ndarray, default=None
        Scores, projections and intervals for :meth:`plot`. None: the report has no figure.

    Attributes
    ----------
    kind : str
        "none", "covariate", "label", "conditional", "subspace"; without the labels that would tell
        them apart "label or covariate" or "covariate or conditional"; "unknown" without source
        labels.
    findings : tuple of Finding
        Each with ``code``, ``severity``, ``text``, ``evidence`` and ``advice``.
    features : pandas.DataFrame
        Table of :func:`feature_shift`, those that shifted most first.

    See Also
    --------
    diagnose : Makes the report.
    changed_predictions : Which rows changed class through adaptation.

    Examples
    --------
    >>> from skda.datasets import make_label_shift
    >>> from skda.inspection import diagnose
    >>> X, y, sample_domain = make_label_shift(200, 200, random_state=0)
    >>> report = diagnose(X, y, sample_domain, random_state=0)
    >>> report.kind
    'label'
    >>> report["KIND"].severity
    'serious'
    """

    def __init__(
        self,
        kind: str,
        findings: Sequence[Finding],
        features: pd.DataFrame,
        curves: Mapping[str, np.ndarray] | None = None,
    ):
        self.kind = kind
        self.findings = tuple(findings)
        self.features = features
        self._curves = curves

    def __getitem__(self, code):
        """Return the finding of this code."""
        for finding in self.findings:
            if finding.code == code:
                return finding
        raise KeyError(
            f"The report has no finding {code!r}; it has {[f.code for f in self.findings]}."
        )

    def __repr__(self):
        return self._text()

    def _text(self):
        import textwrap

        lines = [f"Shift report: {self.kind}", WORDS[self.kind], ""]
        for finding in self.findings:
            head = f"{finding.code:<9} {finding.severity:<8} "
            words = finding.text + (f" -> {finding.advice}" if finding.advice else "")
            lines += textwrap.wrap(
                words, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON.

        Returns
        -------
        report : dict
            With the keys "kind", "findings" (a list of dicts) and "features" (by name).
        """
        return {
            "kind": self.kind,
            "findings": [_plain(finding._asdict()) for finding in self.findings],
            "features": _plain(self.features.to_dict(orient="index")),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        table : pandas.DataFrame
            One row per finding, indexed by its code, with the columns ``severity``, ``text``,
            ``evidence`` (JSON) and ``advice``.
        """
        import pandas

        rows = [
            {
                "severity": finding.severity,
                "text": finding.text,
                "evidence": json.dumps(_plain(finding.evidence)),
                "advice": finding.advice,
            }
            for finding in self.findings
        ]
        codes = pandas.Index([finding.code for finding in self.findings], name="code")
        return pandas.DataFrame(rows, index=codes)

    def _repr_html_(self):
        rows = "".join(
            f'<tr><td><b>{escape(f.code)}</b></td><td style="color:{_COLORS[f.severity]}">'
            f"{f.severity}</td><td>{escape(f.text)}"
            + (f"<br><i>{escape(f.advice)}</i>" if f.advice else "")
            + f"</td><td>{_numbers(f.evidence)}</td></tr>"
            for f in self.findings
        )
        return (
            f'<div style="font-family:sans-serif;text-align:left">'
            f"<h3>Shift report: {escape(self.kind)}</h3><p>{escape(WORDS[self.kind])}</p>"
            '<table style="border-collapse:collapse;text-align:left">'
            f"<tr><th>finding</th><th>severity</th><th></th><th>evidence</th></tr>{rows}</table>"
            f"<details><summary>Features</summary>{self.features.round(3).to_html()}</details></div>"
        )

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """Write the report as one page of HTML that needs no network.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write. None writes nothing.

        Returns
        -------
        html : str
            The page. With matplotlib installed the figure is in it.
        """
        figure = self._figure_html()
        page = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>Shift report: {escape(self.kind)}</title>"
            "<style>td,th{padding:4px 10px;vertical-align:top;border-bottom:1px solid #ddd}"
            "body{max-width:70em;margin:2em auto}</style></head>"
            f"<body>{self._repr_html_()}{figure}</body></html>\n"
        )
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
        return page

    def _figure_html(self):
        """Return the figure as an image inside the page; nothing without matplotlib."""
        import base64
        import io

        if self._curves is None:
            return ""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return ""
        from ._plot_shift_report import FIGURE_SIZE, draw_report

        # A figure of its own, so that no window of the user's session is opened.
        figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        draw_report(self, figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=80)
        code = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f'<img alt="figure of the report" src="data:image/png;base64,{code}">'

    def plot(self, figure: Figure | None = None) -> Figure:
        """Show the report in one figure.

        Panels: ROC curve and scores of a classifier of the domains, the features that shifted most,
        the class proportions with their intervals, and both domains in two dimensions.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, default=None
            Figure to draw in. None makes one.

        Returns
        -------
        figure : matplotlib.figure.Figure
            The figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from ._plot_shift_report import draw_report, new_figure

        if self._curves is None:
            raise ValueError("This report was made without curves. Make it with diagnose.")
        figure = new_figure() if figure is None else figure
        draw_report(self, figure)
        return figure

    @property
    def curves(self) -> Any:
        """Arrays behind the figure, by name."""
        return self._curves


def _plain(value):
    """Return a value without NumPy's types, NaN as None: what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _numbers(evidence):
    """Return evidence as lines of HTML."""
    return "<br>".join(
        f"{escape(str(name))}: {escape(_short(value))}" for name, value in evidence.items()
    )


def _short(value):
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_short(one) for one in value) + "]"
    return str(value)
