"""The menu of the site's versions lists the folders that lie side by side."""

import importlib.util
import json
from pathlib import Path

import pytest

VERSIONS = Path(__file__).resolve().parents[1] / "docs" / "versions.py"


@pytest.fixture
def versions():
    spec = importlib.util.spec_from_file_location("docs_versions", VERSIONS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_list(versions, pages, *names):
    for name in names:
        (pages / name).mkdir()
    versions.write_list_of_versions(pages, "https://example.org/skda/")
    return json.loads((pages / "switcher.json").read_text("utf-8"))


def test_versions_are_listed_newest_first_by_number(versions, tmp_path):
    listed = write_list(versions, tmp_path, "0.9.0", "0.10.0", "dev", ".git", "0.2")
    assert [entry["version"] for entry in listed] == ["dev", "0.10.0", "0.9.0", "0.2"]
    assert [entry["version"] for entry in listed if entry.get("preferred")] == ["0.10.0"]
    assert listed[1]["url"] == "https://example.org/skda/0.10.0/"
    assert "url=0.10.0/" in (tmp_path / "index.html").read_text("utf-8")


def test_before_a_release_the_site_of_development_is_shown(versions, tmp_path):
    listed = write_list(versions, tmp_path, "dev")
    assert listed == [{"version": "dev", "url": "https://example.org/skda/dev/"}]
    assert "url=dev/" in (tmp_path / "index.html").read_text("utf-8")
