"""Hints to watchers over the Django channel layer: in memory, or Redis pub/sub in the cluster.

A consumer joins with `channel_layer.group_add(channel_group(name), channel)` and has a handler
method named like the message's type. The layer drops silently when a watcher is slow: nothing but
a hint may ever travel here.
"""

import re
from collections.abc import Mapping
from typing import Final

from channels.layers import BaseChannelLayer, get_channel_layer
from redis.exceptions import RedisError

from oms_project.kernel.errors import TransportError

TYPE: Final = "hint"
"""The type of a message that does not name its own."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]")


def channel_group(name: str) -> str:
    """Return *name* with what the channel layer does not allow replaced ("~0" -> "-0")."""
    return _UNFIT.sub("-", name)


class ChannelPush:
    """The Push port on a channel layer; settings.CHANNEL_LAYERS["default"] unless one is given."""

    def __init__(self, layer: BaseChannelLayer | None = None) -> None:
        self._layer = layer

    async def publish(self, group: str, message: Mapping[str, object]) -> None:
        layer = self._layer or get_channel_layer()
        try:
            await layer.group_send(channel_group(group), {"type": TYPE, **message})
        except (RedisError, OSError) as error:
            raise TransportError("push", repr(error)) from error
