"""List the versions of the site that lie side by side, for the menu of versions.

``python docs/versions.py PAGES URL`` is run on the branch that holds a folder per version; it
writes ``switcher.json``, which every version reads, and a page that leads to the newest release.
"""

import json
import re
import sys
from pathlib import Path

DEVELOPMENT = "dev"
LEAD_ON = '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={}/">\n'


def releases(pages):
    """Return the names of the folders of releases, newest first."""
    named = [folder.name for folder in pages.iterdir() if re.fullmatch(r"\d+(\.\d+)*", folder.name)]
    return sorted(named, key=lambda name: [int(part) for part in name.split(".")], reverse=True)


def entries(pages, url):
    """Return what the theme reads: name, version and address of each, the newest one preferred."""
    found = releases(pages)
    listed = [{"version": name, "url": f"{url}/{name}/"} for name in found]
    if listed:
        listed[0] |= {"name": f"{found[0]} (stable)", "preferred": True}
    if (pages / DEVELOPMENT).is_dir():
        listed.insert(0, {"version": DEVELOPMENT, "url": f"{url}/{DEVELOPMENT}/"})
    return listed


def write_list_of_versions(pages, url):
    """Write the list, and the page that leads to the newest release, or else to development."""
    listed = entries(pages, url.rstrip("/"))
    (pages / "switcher.json").write_text(json.dumps(listed, indent=2) + "\n", "utf-8")
    newest = (releases(pages) or [DEVELOPMENT])[0]
    (pages / "index.html").write_text(LEAD_ON.format(newest), "utf-8")
    (pages / ".nojekyll").touch()  # or folders that begin with _ are not served


if __name__ == "__main__":
    write_list_of_versions(Path(sys.argv[1]), sys.argv[2])
