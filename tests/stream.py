"""A standard error in memory."""

import io


class Counted(io.BytesIO):
    """Bytes, and how often some were written."""

    writes = 0

    def write(self, data: object) -> int:
        """Write, and count."""
        self.writes += 1
        return super().write(data)  # type: ignore[arg-type]


class Stream(io.TextIOWrapper):
    """What a log is written to, as text or as bytes."""

    def __init__(self) -> None:
        self.held = Counted()
        super().__init__(self.held, encoding="utf-8", write_through=True)

    def getvalue(self) -> str:
        """Return all that was written."""
        return self.held.getvalue().decode()
