"""A broker whose processes run a thread from their first moment on, as some agents have it.

``python -m tests.faults.threaded serve``; nothing is ever forked there.
"""

import sys
import threading

if __name__ == "__main__":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    if sys.argv[1].startswith("{"):  # what a worker is handed
        from broker.app.worker import main
    else:
        from broker.app import spawning
        from broker.cli import main

        spawning.MODULE = "tests.faults.threaded"  # type: ignore[misc]
    main()
