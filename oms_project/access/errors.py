"""Why somebody is not let in: a code of the API's catalogue, raised by the access functions."""


class AccessError(Exception):
    """The request is nobody's. code: of the error catalogue (401, 403 or 429).

    server_time: our clock in milliseconds, for who signed with another.
    """

    def __init__(self, code: str, retry_after_s: int = 0, server_time: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s
        self.server_time = server_time


class KeyFormError(ValueError):
    """An API key cannot be made or turned over like that. field: what of it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
