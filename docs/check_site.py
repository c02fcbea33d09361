"""Open every page of the built site in a browser, wide and narrow, and say what is wrong.

    python docs/check_site.py docs/_build/html

Looked for: errors in the console, requests to another host, links and anchors that lead nowhere,
images without a text in their place, formulas that are not MathML, code that is cut off, and pages
that are wider than the screen. Needs the package playwright and a Chromium.
"""

import argparse
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

from playwright.sync_api import sync_playwright

WIDE, NARROW = 1280, 390
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A thumbnail may have an empty text: the title of its lesson stands below it.
LOOK = """
() => ({
  ids: [...document.querySelectorAll('[id]')].map(e => e.id)
       .concat([...document.querySelectorAll('a[name]')].map(e => e.name)),
  links: [...document.querySelectorAll('a[href]')].map(e => (e.href.baseVal
          ? new URL(e.href.baseVal, document.baseURI).href : e.href)),
  pictures: [...document.querySelectorAll('img')]
            .filter(e => !e.hasAttribute('alt')
                    || (!e.alt && !e.closest('.sphx-glr-thumbcontainer')))
            .map(e => e.src),
  broken: [...document.querySelectorAll('img')]
          .filter(e => e.complete && !e.naturalWidth && getComputedStyle(e).display != 'none')
          .map(e => e.src),
  raw: (document.querySelector('article') || document.body).innerText
       .match(/\\\\\\(.{1,60}\\\\\\)|\\\\\\[.{1,60}\\\\\\]/g) || [],
})
"""
CUT = """
() => [...document.querySelectorAll('pre')]
      .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
      .map(e => `${e.scrollWidth - e.clientWidth} px: `
           + e.innerText.split('\\n').sort((a, b) => b.length - a.length)[0])
"""
TOO_WIDE = """
() => { const page = document.documentElement;
        if (page.scrollWidth <= page.clientWidth + 1) return [];
        const wide = [...document.querySelectorAll('article *, header *, footer *')]
          .filter(e => e.getBoundingClientRect().right > page.clientWidth + 1)
          .slice(0, 2).map(e => e.outerHTML.slice(0, 80));
        return [`${page.scrollWidth} px: ${wide.join(' | ')}`]; }
"""


def find_browser():
    """Return the path of a Chromium of this machine; None takes playwright's own."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def look_at(page, file, faults):
    """Note the faults of one page, and return its anchors and links."""
    where = file.as_uri()
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.goto(where, wait_until="load")
    found = page.evaluate(LOOK)
    faults += [(where, f"picture without alt text: {source}") for source in found["pictures"]]
    faults += [(where, f"picture cannot be shown: {source}") for source in found["broken"]]
    faults += [(where, f"formula is not MathML: {text}") for text in found["raw"]]
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate(TOO_WIDE)
        faults += [(where, f"page is wider than {width} px: {text}") for text in wide]
        cut = page.evaluate(CUT)
        faults += [(where, f"code is cut off at {width} px by {text}") for text in cut]
    return set(found["ids"]), set(found["links"])


def broken_links(pages):
    """Yield links that lead nowhere; ``pages`` has anchors and links by address."""
    for where, (_, links) in pages.items():
        for link in sorted(links):
            if not link.startswith("file:"):
                continue
            address, anchor = urldefrag(link)
            address = address.partition("?")[0]
            if not Path(unquote(address.removeprefix("file://"))).exists():
                yield where, f"link to a file that does not exist: {link}"
            elif anchor and address in pages and unquote(anchor) not in pages[address][0]:
                yield where, f"link to an anchor that does not exist: {link}"


def check(folder, pattern="**/*.html"):
    """Return the faults of the site in a folder, as pairs of a page and what is wrong."""
    faults, pages = [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--allow-file-access-from-files"]
        )
        page = browser.new_page()
        now = {"where": ""}

        def note_request(request):
            if request.url.startswith(("http:", "https:", "ws:", "wss:")):
                faults.append((now["where"], f"request to another host: {request.url}"))

        def note_console(message):
            if message.type == "error":
                faults.append((now["where"], f"console: {message.text}"))

        page.on("request", note_request)
        page.on("console", note_console)
        page.on("pageerror", lambda error: faults.append((now["where"], f"script: {error}")))
        for file in sorted(folder.glob(pattern)):
            if "_static" in file.parts:
                continue
            now["where"] = file.as_uri()
            pages[file.as_uri()] = look_at(page, file, faults)
        browser.close()
    return [*faults, *broken_links(pages)], len(pages)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the built site")
    parser.add_argument("--pages", default="**/*.html", help="pages to open, as a pattern")
    options = parser.parse_args(argv)
    folder = options.folder.resolve()
    faults, count = check(folder, options.pages)
    for where, fault in faults:
        print(f"{where.removeprefix(folder.as_uri() + '/')}: {fault}")
    print(f"{count} pages, {len(faults)} faults")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
