"""The broker's command line, kept open: what it is told is done at once, not after its start.

A line is a JSON list of words; the answer is ``{"status", "out", "err"}``. A change of keys has to
meet a moment a second or two long, which the start of a fresh process may miss.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from broker.cli.app import app


def main() -> None:
    """Do what each line says, until there is no more."""
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


def run(words: list[str]) -> dict[str, Any]:
    """Run one command."""
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            app(args=words, prog_name="broker")
        except SystemExit as ended:
            status = ended.code or 0
    return {"status": int(status), "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    main()
