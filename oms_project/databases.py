"""How a database server is used: what Django is told about the one in DATABASE_URL."""

from typing import Any

from environ import Env


def server(url: str, pool: int) -> dict[str, Any]:
    """Return Django's configuration of the server at *url*; PostgreSQL gets a pool of connections.

    A request has a thread of its own, so a connection kept for the next one (CONN_MAX_AGE) would never
    be used again. The pool looks at a connection before it lends it: a server that was away is no
    error any more once it is back. *pool* 0: a connection is made for each use.
    """
    config: dict[str, Any] = Env.db_url_config(url)
    if "postgresql" not in config["ENGINE"]:
        return config
    options = config.setdefault("OPTIONS", {})
    # Nobody waits longer for an answer; what writes much sets its own (orders/adapters).
    options.setdefault("options", "-c statement_timeout=5000")
    if pool:
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 3, "max_idle": 300}
        config["CONN_HEALTH_CHECKS"] = True
    return config
