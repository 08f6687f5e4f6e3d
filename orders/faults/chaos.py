"""What is broken, and when: seeded rounds of kills, outages of servers, and named crash points.

Rules of this file:
- Everything is bounded in time and number; only processes that this run started are ended.
- Nothing is mended by hand: a role is started again, a server is started again, that is all.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from oms_project.adapters.clock import NS_PER_MS, NS_PER_S, SystemClock
from oms_project.adapters.ids import seeded
from oms_project.adapters.servers import LocalServer
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import Topic
from orders.faults.journal import Fault, Journal
from orders.faults.points import LEAVING, POISONED, Point
from orders.faults.stage import Stage
from orders.faults.truth import POISON

WEIGHTS: Final = {"engine": 35, "projector": 25, "web": 30, "marketdata": 10}
CALM_MS: Final = (150, 1_500)
DOWN_MS: Final = (2_000, 6_000)
JUMPS_S: Final = (-3_600, 3_600)
JUMPING: Final = ("engine", "web", "marketdata", "engine")
JUMP_AFTER_S: Final = 3
JUMPED_S: Final = 3
NAMED_S: Final = 15.0
CRASH_S: Final = 60.0
DEPENDENCY: Final = {"kafka": "log", "valkey": "redis", "secantusdb": "store"}
"""What /readyz calls a server."""

_clock = SystemClock()


class Outage(msgspec.Struct):
    """A server that was away.

    named_ms: until /readyz said so by name, -1: it never did; read_*: a list of orders asked for
    meanwhile; well_ms: from the server's start until the product was well again.
    """

    server: str
    down_ms: int
    named_ms: int
    well_ms: int
    read_status: int = 0
    read_ms: int = 0
    read_outcome: str = ""


class Plan(msgspec.Struct, kw_only=True):
    """What a run shall do. Servers only with services."""

    kills: int = 0
    broker_restarts: int = 0
    store_restarts: int = 0
    redis_kills: int = 0
    redis_flushes: int = 0
    clock_jumps: int = 0
    restores: int = 0
    points: list[tuple[Point, int]] = []


class Chaos:
    """Does a plan to a stage, in a thread beside the load."""

    def __init__(
        self, stage: Stage, journal: Journal, account_ids: list[str], token: str, seed: int
    ) -> None:
        self.kills: Counter[str] = Counter()
        self.points: dict[str, str] = {}
        self.outages: list[Outage] = []
        self.flushes = 0
        self.jumps = 0
        self.restores = 0
        self.poisons: Counter[str] = Counter()
        self._stage = stage
        self._journal = journal
        self._account_ids = account_ids
        self._token = token
        self._dice = seeded(seed)

    def run(self, plan: Plan, tell: Callable[[str], None]) -> None:
        """Do all of *plan*; the product is well when this returns.

        Raises:
            NotWellError: it is not.
        """
        deeds = self._deeds(plan)
        if plan.restores:
            self._stage.back_up()
        for number, (name, deed) in enumerate(deeds, 1):
            self._stage.wait(self._between(CALM_MS))
            tell(f"{number}/{len(deeds)} {name}")
            self._journal.write(Fault(name))
            deed()
        self._stage.wait_until_well(self._account_ids)

    def _deeds(self, plan: Plan) -> list[tuple[str, Callable[[], None]]]:
        """Return what to do, by name: kills in random order, outages spread among them."""
        deeds: list[tuple[str, Callable[[], None]]] = []
        roles = [name for name, weight in WEIGHTS.items() for _ in range(weight)]
        for _ in range(plan.kills):
            role = self._dice.choice(roles)
            deeds.append((f"kill {role}", lambda role=role: self._kill(role)))
        others: list[tuple[str, Callable[[], None]]] = []
        for server, times in (
            ("kafka", plan.broker_restarts),
            ("secantusdb", plan.store_restarts),
            ("valkey", plan.redis_kills),
        ):
            deed = (f"kill {server}", lambda server=server: self._outage(server))
            others += [deed] * times
        others += [("flush valkey", self._flush)] * plan.redis_flushes
        others += [("restore the store", self._restore)] * plan.restores
        for number in range(plan.clock_jumps):
            role, by_s = JUMPING[number % len(JUMPING)], JUMPS_S[number % len(JUMPS_S)]
            jump = f"{by_s}@{JUMP_AFTER_S}"
            deed = (
                f"clock of {role} {by_s:+} s",
                lambda role=role, jump=jump: self._jump(role, jump),
            )
            others.append(deed)
        for deed in others:
            deeds.insert(self._dice.randrange(len(deeds) + 1), deed)
        for point, nth in plan.points:
            name = f"{point.role}/{point.name}:{nth}"
            deeds.append((name, lambda point=point, nth=nth: self._crash(point, nth)))
        return deeds

    # -------------------------------------------------------------- deeds

    def _kill(self, role: str) -> None:
        """Kill a role; start it at once. One time in four it dies again while it starts.

        One time in two the next round begins before all is well: faults come together.
        """
        stage = self._stage
        stage.until(lambda: not stage.is_dead(role), CRASH_S)
        stage.kill(role)
        self.kills[role] += 1
        stage.revive(role)
        if self._dice.randrange(4) == 0:
            stage.wait(self._between((50, 2_500)))
            if not stage.is_dead(role):
                stage.kill(role)
                self.kills[f"{role} starting"] += 1
                stage.revive(role)
        if self._dice.randrange(5) == 0:
            self._poison(Topic.COMMANDS)
        if self._dice.randrange(2):
            stage.wait_until_well(self._account_ids)

    def _crash(self, point: Point, nth: int) -> None:
        """Start a role that dies at the nth passage of a point, wait for it, start it again."""
        stage, role = self._stage, point.role
        stage.end(role)
        stage.expect_death(role)
        stage.start(role, crash=f"{point.name}:{nth}")
        if point.name in LEAVING:
            stage.wait_until_well(self._account_ids)
            stage.tell_to_leave(role)
        poisoned = point.name != POISONED

        def died() -> bool:
            nonlocal poisoned
            if not poisoned:
                poisoned = self._poison(Topic.EVENTS if role == "projector" else Topic.COMMANDS)
            return stage.is_dead(role)

        passed = stage.until(died, CRASH_S)
        self.points[f"{role}/{point.name}"] = f"died at passage {nth}" if passed else "not passed"
        if not passed:
            stage.kill(role)
        stage.revive(role)
        stage.wait_until_well(self._account_ids)

    def _poison(self, topic: Topic) -> bool:
        """Leave something unreadable in a topic; tell whether the log took it."""
        value = POISON + str(self._dice.randrange(2**32)).encode()
        try:
            self._stage.poison(topic, value)
        except TransportError:
            return False
        self.poisons[topic] += 1
        return True

    def _jump(self, role: str, jump: str) -> None:
        """Let a role work while its clock jumps; then kill it and start it with the right time."""
        stage = self._stage
        stage.kill(role)
        stage.revive(role, jump=jump)
        stage.wait_until_well(self._account_ids)
        stage.wait(JUMP_AFTER_S + JUMPED_S)
        stage.wait_until_well(self._account_ids)
        stage.kill(role)
        self.jumps += 1
        stage.revive(role)

    def _restore(self) -> None:
        """Put back the store as it was some deeds ago; the log has all that came since."""
        self._stage.restore()
        self.restores += 1
        self._stage.wait_until_well(self._account_ids)
        self._stage.back_up()

    def _flush(self) -> None:
        self._stage.flush_valkey()
        self.flushes += 1

    def _outage(self, name: str) -> None:
        """Kill a server, see that /readyz names it, start it, and wait until all is well."""
        stage = self._stage
        server: LocalServer = stage.server(name)
        server.kill()
        down_ns = _clock.monotonic_ns()
        back_ns = down_ns + int(self._between(DOWN_MS) * NS_PER_S)
        named_ms = -1
        if stage.until(lambda: DEPENDENCY[name] in stage.ready().failed, NAMED_S):
            named_ms = (_clock.monotonic_ns() - down_ns) // NS_PER_MS
        status, body, read_ms = stage.get("/api/orders", self._token)
        stage.wait(max(0, back_ns - _clock.monotonic_ns()) / NS_PER_S)
        down_ms = (_clock.monotonic_ns() - down_ns) // NS_PER_MS
        server.start()
        well_ms = stage.wait_until_well(self._account_ids)
        outcome = str(body.get("outcome", ""))
        self.outages.append(Outage(name, down_ms, named_ms, well_ms, status, read_ms, outcome))

    def _between(self, bounds_ms: tuple[int, int]) -> float:
        return self._dice.randrange(*bounds_ms) / 1000
