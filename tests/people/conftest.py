"""One database for all tests about people; each test finds it empty."""

from collections.abc import AsyncIterator

import pytest

from tests.people.house import House
from tests.worlds import World, open_world

# Deletes what the last test left, without foreign keys in the way; far cheaper than a database.
WIPE = """
do $$
declare
    name text;
begin
    perform set_config('session_replication_role', 'replica', true);
    for name in
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname not in ('alembic_version', 'plans', 'price_versions')
          and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('delete from public.%I', name);
    end loop;
end $$
"""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def people_world(
    anyio_backend: str, superuser_url: str, redis_server_url: str
) -> AsyncIterator[World]:
    async with open_world(superuser_url, redis_server_url) as world:
        yield world


@pytest.fixture
async def house(people_world: World) -> AsyncIterator[House]:
    await people_world.run(WIPE)
    made = House(people_world)
    yield made
    await made.close()
