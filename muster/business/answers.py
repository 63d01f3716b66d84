"""The systems that are asked over HTTP, each in the shape of its maker, under one address."""

from dataclasses import dataclass

from fastapi import FastAPI

from muster.business.company import FAULTY, Business
from muster.business.ga4 import Analytics
from muster.business.hubspot import HubSpot
from muster.business.matomo import Matomo
from muster.business.odoo import Odoo
from muster.business.redmine import Redmine
from muster.business.wechat import WeChat
from muster.business.zendesk import Zendesk

KEY = "demo"
"""What each of them wants to be shown; it opens nothing but these made-up figures on this machine."""


@dataclass(frozen=True, slots=True)
class Systems:
    """All of them under one address, and those in which something new happens."""

    app: FastAPI
    erp: Odoo
    desk: Zendesk


def make_systems(business: Business) -> Systems:
    """With what the company has until its last day."""
    people = {one.id: int(one.number) for one in business.span.people}
    erp = Odoo(KEY, people, business.trade, [FAULTY["sales_order"]])
    desk = Zendesk(KEY, people, [*business.tickets, FAULTY["ticket"]], business.delivery.complaints)
    analytics = Analytics(KEY, business.days)
    account = WeChat(KEY, business.followers, business.articles)
    app = FastAPI(openapi_url=None)
    for path, answer, method in (
        ("/jsonrpc", erp.answer, "POST"),
        ("/crm/v3/objects/{kind}/search", HubSpot(KEY, people, business.trade).answer, "POST"),
        ("/api/v2/incremental/tickets/cursor.json", desk.answer, "GET"),
        ("/index.php", Matomo(KEY, business.visits).answer, "POST"),
        ("/token", analytics.token, "POST"),
        ("/v1beta/properties/{report}", analytics.answer, "POST"),
        ("/cgi-bin/stable_token", account.token, "POST"),
        ("/datacube/{what}", account.answer, "POST"),
        ("/issues.json", Redmine(KEY, business.works).answer, "GET"),
    ):
        app.add_route(path, answer, methods=[method])
    return Systems(app, erp, desk)
