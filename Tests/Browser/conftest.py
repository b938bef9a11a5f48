"""Fixtures of the browser tests."""

import pytest
from playwright.sync_api import sync_playwright

import rig


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as started:
        yield started


@pytest.fixture
def chromium(playwright):
    browsers = rig.Chromium(playwright)
    yield browsers
    browsers.close()


@pytest.fixture
def server(request):
    with rig.Server(request.node.name) as started:
        yield started


needs_namespaces = pytest.mark.skipif(
    not rig.may_make_namespaces(), reason="making network namespaces needs root and iproute2")
