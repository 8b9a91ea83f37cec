"""Take the pictures of docs/reference/page.md from a running `nsml web`, with the Chromium of this machine.

python tools/screenshots.py --address http://127.0.0.1:18553 --first team146/FUNDUS/1 --second team146/FUNDUS/2
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

# For what the charts and tables fetch after the page is there.
_SETTLED_MS = 3500
_WIDE, _TELEPHONE = {"width": 1200, "height": 760}, {"width": 390, "height": 760}


def main() -> None:
    """Write web-NAME.png for each page into the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="http://127.0.0.1:18553")
    parser.add_argument("--first", required=True, metavar="USER/DATASET/NUMBER")
    parser.add_argument("--second", required=True, metavar="USER/DATASET/NUMBER")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    args = parser.parse_args()
    dataset = args.first.split("/")[1]
    both = urlencode({"first": args.first, "second": args.second})
    graph = urlencode({"session": [args.first, args.second]}, doseq=True)
    pages: dict[str, tuple[str, dict[str, Any]]] = {
        "leaderboard": (f"/dataset/{dataset}", {}),
        "sessions": (f"/dataset/{dataset}?tab=sessions", {"color_scheme": "dark"}),
        "log": (f"/session/{args.first}", {}),
        "graph": (f"/graph?{graph}", {}),
        "diff": (f"/diff?{both}", {}),
        "telephone": (f"/session/{args.first}?tab=graph", {"viewport": _TELEPHONE, "locale": "ko-KR"}),
    }
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (path, options) in pages.items():
            page = browser.new_context(**{"viewport": _WIDE, "locale": "en-US"} | options).new_page()
            page.goto(args.address + path)
            page.wait_for_timeout(_SETTLED_MS)
            page.screenshot(path=args.out / f"web-{name}.png")
            print(args.out / f"web-{name}.png")


if __name__ == "__main__":
    main()
