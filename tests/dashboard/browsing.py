"""A browser without a screen: keeps cookies, sends forms with the page's token."""

import re
from itertools import count
from typing import Self

import httpx

from benchmarks.counting import statements_sent
from tests.worlds import Api, World

DENY_LIST = "select value from platform_settings where name = $1"
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')
_numbers = count(1)


class Browsing:
    """One browser profile on the running API, at an address of its own: limits are per address."""

    def __init__(self, world: World, api: Api, *, cookie: str = "") -> None:
        self.world = world
        high, low = divmod(next(_numbers), 256)
        self.address = f"198.18.{high}.{low}"
        headers = {
            "Accept": "text/html,*/*",
            "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/150",
            "X-Forwarded-For": self.address,
        }
        cookies = dict([cookie.split("=", 1)]) if cookie else {}
        url = f"http://127.0.0.1:{api.port}"
        self.http = httpx.AsyncClient(base_url=url, headers=headers, cookies=cookies, timeout=20)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def statements(self, path: str) -> list[str]:
        """What a page asks the database, less the deny list: any request may read it anew."""
        with statements_sent() as asked:
            answer = await self.get(path)
        assert answer.status_code == 200, (path, answer.text[:2000])
        return [statement for statement in asked if statement.strip() != DENY_LIST]

    async def token(self, path: str) -> str:
        found = TOKEN.search((await self.get(path)).text)
        assert found, f"{path} has no form"
        return found[1]

    async def send(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Open a page and send a form of it."""
        fields = {"csrf_token": await self.token(page), **fields}
        return await self.http.post(action, data=fields)
