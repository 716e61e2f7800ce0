"""No page without its pictures: the gallery against the routes, and against who photographs."""

import re
from pathlib import Path

from app.core.config import Settings
from app.factory import create_app
from browser import gallery
from tests.journeys.stack import Journey
from tests.serving import undisturbed_logging

_EXAMINED = re.compile(r'\.examine\(\s*"([a-z-]+)"')


def test_every_page_is_photographed(product: Journey):
    with undisturbed_logging():
        site = create_app(Settings.from_environ(product.stack.environment)).pages.build()
    served = {
        re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        for route in site.routes
        if "GET" in route.methods
    }
    shown = {gallery.path_of(name) for name in gallery.PAGES}
    assert served - shown - set(gallery.NOT_PAGES) == set(), "pages that nobody photographs"
    assert set(gallery.NOT_PAGES) - served == set(), "addresses that are not served any more"


def test_every_picture_of_the_gallery_is_taken():
    sources = [path.read_text() for path in Path(__file__).parent.glob("*.py")]
    taken = {name for source in sources for name in _EXAMINED.findall(source)}
    assert taken == set(gallery.ON_THE_WAY)
