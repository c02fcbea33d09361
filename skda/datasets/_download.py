"""Files of public data sets: downloaded once, checked by SHA-256, kept under the data home."""

import csv
import hashlib
import os
import time
import uuid
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import ContentTooShortError, HTTPError
from urllib.request import Request, urlopen

from sklearn.datasets import get_data_home

from .._core._param_checks import check_bool, check_integer, check_real

# Seconds without an answer before an attempt counts as failed; the files have at most 4 MB.
_TIMEOUT = 30.0
# Answers of a server that another attempt does not change: forbidden, not there, gone.
_FINAL = (401, 403, 404, 410)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set, where it can be had, and how it is recognized.

    Parameters
    ----------
    name : str
        Name of the file in the cache.
    urls : tuple of str
        Where the file lies, tried in this order.
    sha256 : str, default=None
        SHA-256 of the bytes; of the cells, if `layout` is given. None: it is not known, and
        whoever reads the file compares its shape.
    n_bytes : int, default=None
        Size of a file whose checksum is not known.
    layout : Layout, default=None
        How the cells of a text table are found. Copies of it that differ in the separator, in a
        header row or in the ends of lines have the same cells, and so the same checksum.
    """

    name: str
    urls: tuple
    sha256: str | None = None
    n_bytes: int | None = None
    layout: object = None

    def opened(self, content):
        """Return the bytes of a file, or its cells, and what is wrong with them or None."""
        if self.layout is not None:
            cells = self.layout.cells(content)
            return cells, self._difference("SHA-256 of its cells", checksum_of_cells(cells))
        if self.sha256 is not None:
            found = hashlib.sha256(content).hexdigest()
            return content, self._difference("SHA-256", found)
        if self.n_bytes in (None, len(content)):
            return content, None
        return content, f"it has {len(content)} bytes, and {self.n_bytes} are expected"

    def _difference(self, what, found):
        if found == self.sha256:
            return None
        return f"its {what} is {found}, and {self.sha256} is expected"


@dataclass(frozen=True)
class Layout:
    """Cells of a text table: how many columns there are and how a header row begins, if any."""

    n_columns: int
    header: str

    def cells(self, content):
        """Return the rows as lists of stripped texts, without header and empty lines.

        Rows of another length are kept, so that the checksum of a truncated file is wrong.
        """
        lines = content.decode("utf-8-sig", errors="replace").splitlines()
        # Comments, of which one copy of the census has one.
        lines = [line for line in lines if line.strip() and not line.startswith("|")]
        separator = ";" if lines and ";" in lines[0] else ","
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
        if rows and rows[0][0].lower().startswith(self.header):
            rows = rows[1:]
        return [self._clean(row) for row in rows]

    def _clean(self, row):
        # Copies exist whose lines end in a separator, or whose labels end in a full stop.
        cells = [cell.strip() for cell in row[: self.n_columns]]
        cells[-1] = cells[-1].rstrip(".")
        return cells


def checksum_of_cells(rows):
    """Return the SHA-256 of a table of texts."""
    return hashlib.sha256("\n".join(",".join(row) for row in rows).encode()).hexdigest()


def pinned(repository, commit, path):
    """Return the address of a file of a GitHub repository as it was at one commit."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


class Cache:
    """The folder ``skda/<name>`` of scikit-learn's data home, and how files come into it."""

    def __init__(self, name, *, data_home, download_if_missing, n_retries, delay):
        self.download_if_missing = check_bool("download_if_missing", download_if_missing)
        self.n_retries = check_integer("n_retries", n_retries, low=0)
        self.delay = check_real("delay", delay, low=0)
        try:
            self.folder = Path(get_data_home(data_home)) / "skda" / name
        except OSError as error:
            raise _unwritable(data_home, error) from error

    def read(self, file):
        """Return the bytes of a file, or its cells if it is a text table.

        Raises
        ------
        OSError
            If the file is not there and cannot be had, or is another one than expected.
        """
        path = self.folder / file.name
        if path.exists():
            content, problem = file.opened(path.read_bytes())
            # Not replaced: someone may have put it there by hand.
            if problem:
                raise self.wrong(file, problem)
            return content
        return self._download(file, path)

    def check_shape(self, file, shape, expected):
        """Raise unless the table in a file has the expected rows and columns."""
        if tuple(shape) != tuple(expected):
            raise self.wrong(
                file,
                f"it has {shape[0]} rows of {shape[1]} features, and {expected[0]} of "
                f"{expected[1]} are expected",
            )

    def wrong(self, file, problem):
        """Return the error that a file in the cache is another one than expected."""
        return OSError(
            f"{self.folder / file.name} is not the file that is expected: {problem}. Delete it, "
            "and it is downloaded again."
        )

    def _download(self, file, path):
        if not self.download_if_missing:
            raise OSError(
                f"{path} is not there, and download_if_missing is False. Pass "
                f"download_if_missing=True, or {_by_hand(file, path)}"
            )
        raw, content = self._first_good(file, path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_at_once(path, raw)
        except OSError as error:
            raise _unwritable(path.parent, error) from error
        return content

    def _first_good(self, file, path):
        """Return the bytes of the first address that has the right ones, and what they hold."""
        failures = {}
        for attempt in range(self.n_retries + 1):
            waiting = [url for url in file.urls if not getattr(failures.get(url), "final", False)]
            if attempt and waiting:
                time.sleep(self.delay)
            for url in waiting:
                try:
                    return _right_bytes(file, url)
                except _Failure as failure:
                    failures[url] = failure
        found = "; ".join(f"{url}: {failure}" for url, failure in failures.items())
        raise OSError(f"{file.name} could not be downloaded ({found}). {_by_hand(file, path)}")


class _Failure(Exception):
    """An address that did not give the file; `final`: another attempt would not, either."""

    def __init__(self, reason, *, final):
        super().__init__(reason)
        self.final = final


def _right_bytes(file, url):
    """Return the bytes at an address if they are those of the file, and what they hold."""
    try:
        raw = _get(url)
    except HTTPError as error:
        error.close()
        raise _Failure(f"answer {error.code}", final=error.code in _FINAL) from error
    except (OSError, HTTPException) as error:
        raise _Failure(getattr(error, "reason", None) or error, final=False) from error
    content, problem = file.opened(raw)
    if problem:
        raise _Failure(problem, final=False)
    return raw, content


def _get(url):
    """Return the bytes at an address; raise ContentTooShortError if the connection breaks off."""
    # Some servers refuse the name that urllib gives itself.
    request = Request(_address(url), headers={"User-Agent": "skda"})
    with urlopen(request, timeout=_TIMEOUT) as answer:
        content = answer.read()
        promised = answer.headers.get("Content-Length")
    if promised is not None and len(content) < int(promised):
        raise ContentTooShortError(f"{len(content)} of {promised} bytes came", content)
    return content


def _address(url):
    """Return the address that is asked for a URL; tests put a server of their own here."""
    return url


def write_at_once(path, content):
    """Write a file such that other processes see all of it or nothing."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        # Not by `tempfile`, whose files no other user of a shared data home could read.
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _by_hand(file, path):
    return (
        f"Download {file.urls[0]} by other means and save it as {path}; data_home chooses another "
        "folder than scikit-learn's."
    )


def _unwritable(folder, error):
    return OSError(
        f"{folder} cannot be written to ({error}). Pass a folder that can as data_home, or set the "
        "environment variable SCIKIT_LEARN_DATA."
    )
