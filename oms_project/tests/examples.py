"""How many examples a property test draws: few enough to be quick, the same ones in CI."""

from hypothesis import HealthCheck, settings

from oms_project import env


def examples(count: int) -> settings:
    """Return the settings (a decorator) of a property test of *count* examples."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=env.services_required(),
        suppress_health_check=[HealthCheck.too_slow],
    )
