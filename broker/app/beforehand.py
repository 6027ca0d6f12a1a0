"""What is looked at once before any process serves."""

from broker.app.algorithms import check_in_use
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.key_places import refused
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable
from broker.app.stores import make_schema, open_stores
from broker.core.errors import StoreUnavailable
from broker.log import structlog
from broker.stores.redis import health
from keys.errors import KeyRecordCorrupt, KeysError, VaultMisconfigured
from keys.upkeep import check_all, ensure

_log = structlog.get_logger("broker.server")


async def make_ready(settings: Settings, redis_url: str) -> None:
    """Look at the stores once before any process serves; make the schema and the first keys.

    A store out of reach is no reason not to start; one that must not be used is.

    Raises:
        Refused: the schema does not fit, a client or API is set to an algorithm that is off, a
            signing key cannot be opened, an HSM cannot be used as configured, or Redis evicts.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    async with open_stores(settings, clock, entropy, redis_url) as stores:
        fault = await health(stores.redis.client)
        if fault is not None and "evict" in fault:
            raise Refused(Problem(variable("redis_url"), fault))
        if fault is not None:
            _log.warning("redis.not_usable", reason=fault)
        try:
            await make_schema(settings, stores)
            await check_in_use(settings, stores.sql)
            await stores.vault.support(settings.algorithms)
            records = await ensure(
                stores.keys,
                stores.vault,
                settings.key_policy,
                clock.now(),
                algorithms=settings.algorithms,
            )
            check_all(records, stores.vault)
        except StoreUnavailable as error:
            _log.warning("sql.out_of_reach", reason=error.private)
        except KeyRecordCorrupt as error:
            raise Refused(Problem(variable("secrets"), str(error))) from None
        except VaultMisconfigured as error:
            raise refused(error) from None
        except KeysError as error:
            _log.warning("keys.not_ready", reason=str(error))
