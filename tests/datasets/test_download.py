"""Files come once, whole and as expected, or an error says what to do."""

import hashlib
import os
import threading

import pytest

from skda.datasets._download import Cache, Layout, RemoteFile, checksum_of_cells, pinned

CONTENT = b"63,1,?\n67,0,2\n" * 50


def sha256(content):
    return hashlib.sha256(content).hexdigest()


FILE = RemoteFile("a.data", ("https://first.org/a.data",), sha256(CONTENT))


def cache(tmp_path, **options):
    options = {"download_if_missing": True, "n_retries": 0, "delay": 0.0} | options
    return Cache("some", data_home=tmp_path, **options)


def test_a_file_is_downloaded_once_and_then_read_without_a_request(server, tmp_path):
    server.files["/a.data"] = CONTENT
    assert cache(tmp_path).read(FILE) == CONTENT
    assert server.asked == ["/first.org/a.data"]
    assert (tmp_path / "skda" / "some" / "a.data").read_bytes() == CONTENT
    assert cache(tmp_path).read(FILE) == CONTENT
    assert cache(tmp_path, download_if_missing=False).read(FILE) == CONTENT
    assert len(server.asked) == 1


@pytest.mark.parametrize("failure", [503, "cut", "hang up"])
def test_a_failed_attempt_is_repeated(server, tmp_path, failure):
    server.files["/a.data"] = CONTENT
    server.failures = [failure, failure]
    assert cache(tmp_path, n_retries=2).read(FILE) == CONTENT
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(503, "answer 503"), ("cut", "350 (of 700 bytes|bytes read)"), ("hang up", "closed")],
)
def test_attempts_end_and_leave_nothing(server, tmp_path, failure, reason):
    server.files["/a.data"] = CONTENT
    server.failures = [failure] * 9
    with pytest.raises(OSError, match=reason) as raised:
        cache(tmp_path, n_retries=1).read(FILE)
    assert len(server.asked) == 2
    text = str(raised.value)
    for part in ("https://first.org/a.data", str(tmp_path / "skda" / "some" / "a.data")):
        assert part in text
    assert "data_home" in text
    assert not (tmp_path / "skda").exists()


def test_what_is_not_there_is_asked_for_once(server, tmp_path):
    with pytest.raises(OSError, match="answer 404"):
        cache(tmp_path, n_retries=5).read(FILE)
    assert len(server.asked) == 1


def test_the_second_address_serves_when_the_first_has_another_file(server, tmp_path):
    server.files = {"first.org/a.data": CONTENT + b"edited", "second.org/a.data": CONTENT}
    file = RemoteFile("a.data", (*FILE.urls, "https://second.org/a.data"), FILE.sha256)
    assert cache(tmp_path).read(file) == CONTENT
    assert len(server.asked) == 2


def test_another_file_than_expected_is_refused_with_both_checksums(server, tmp_path):
    server.files["/a.data"] = CONTENT + b"edited"
    with pytest.raises(OSError, match=FILE.sha256) as raised:
        cache(tmp_path).read(FILE)
    assert sha256(CONTENT + b"edited") in str(raised.value)
    assert not list(tmp_path.rglob("*.data*"))


def test_a_changed_file_in_the_cache_is_refused_and_kept(server, tmp_path):
    folder = tmp_path / "skda" / "some"
    folder.mkdir(parents=True)
    (folder / "a.data").write_bytes(b"by hand")
    with pytest.raises(OSError, match="Delete it") as raised:
        cache(tmp_path).read(FILE)
    assert FILE.sha256 in str(raised.value) and sha256(b"by hand") in str(raised.value)
    assert (folder / "a.data").read_bytes() == b"by hand"
    assert not server.asked


def test_without_download_the_error_says_where_the_file_belongs(server, tmp_path):
    with pytest.raises(OSError, match="download_if_missing is False") as raised:
        cache(tmp_path, download_if_missing=False).read(FILE)
    assert "https://first.org/a.data" in str(raised.value)
    assert str(tmp_path / "skda" / "some" / "a.data") in str(raised.value)
    assert not server.asked


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    server.files["/a.data"] = CONTENT
    (tmp_path / "skda").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"cannot be written to.*data_home"):
        cache(tmp_path).read(FILE)
    (tmp_path / "home").write_text("")
    with pytest.raises(OSError, match=r"cannot be written to.*SCIKIT_LEARN_DATA"):
        cache(tmp_path / "home")


def test_copies_with_other_separators_headers_and_ends_of_lines_are_the_same_table(tmp_path):
    layout = Layout(n_columns=3, header="age")
    plain = b"63,1,yes\n67,0,no\n"
    cells = layout.cells(plain)
    assert cells == [["63", "1", "yes"], ["67", "0", "no"]]
    file = RemoteFile("a.data", (), checksum_of_cells(cells), layout=layout)
    for other in (
        b'"age";"sex";"ill"\r\n63;1;"yes"\r\n67;0;"no"\r\n\r\n',
        b"\xef\xbb\xbfAge, sex, ill\n63, 1, yes.\n67, 0, no.",
        b"|a comment\n63,1,yes,\n67,0,no,\n",
    ):
        assert file.opened(other) == (cells, None)
    for other in (plain[:-5], plain.replace(b"1", b"0"), b"", b"<html>"):
        assert "is expected" in file.opened(other)[1]


def test_a_file_of_unknown_checksum_is_known_by_its_size_or_its_shape(tmp_path):
    file = RemoteFile("a.data", (), n_bytes=3)
    assert file.opened(b"abc") == (b"abc", None)
    assert "has 2 bytes, and 3 are expected" in file.opened(b"ab")[1]
    with pytest.raises(OSError, match="has 4 rows of 2 features, and 5 of 2"):
        cache(tmp_path).check_shape(file, (4, 2), (5, 2))


def test_many_threads_see_all_of_the_file(server, tmp_path):
    server.files["/a.data"] = CONTENT
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(cache(tmp_path).read(FILE))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8
    assert os.listdir(tmp_path / "skda" / "some") == ["a.data"], "no parts are left"


def test_an_interrupted_write_leaves_no_file(server, tmp_path, monkeypatch):
    server.files["/a.data"] = CONTENT

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("skda.datasets._download.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path).read(FILE)
    assert not os.listdir(tmp_path / "skda" / "some")


def test_addresses_cannot_change():
    found = pinned("who/what", "0" * 40, "a/b.csv")
    assert found == f"https://raw.githubusercontent.com/who/what/{'0' * 40}/a/b.csv"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_retries": -1}, "n_retries must be an integer"),
        ({"delay": -1.0}, "delay must be a non-negative number"),
        ({"download_if_missing": "no"}, "download_if_missing must be True or False"),
    ],
)
def test_options_are_checked(tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        cache(tmp_path, **options)
