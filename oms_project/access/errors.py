"""Why somebody is not let in: a code of the API's catalogue, raised by the access functions."""


class AccessError(Exception):
    """The request is nobody's. code: of the error catalogue (401, 403 or 429)."""

    def __init__(self, code: str, retry_after_s: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s
