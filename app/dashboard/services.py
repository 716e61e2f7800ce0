"""What the pages call: the services of people and businesses, built once a process."""

from dataclasses import dataclass
from typing import Any

from app.assistant.assembly import Assistant, build_assistant
from app.assistant.knowledge.library import Library
from app.assistant.knowledge.rewriting import Rewriter
from app.assistant.playground import Playground
from app.assistant.tool_settings import ToolSettings
from app.assistant.versions import Versions
from app.channels.waha.client import WahaClient
from app.channels.waha.sessions import WahaSessions
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.types import Limiter
from app.core.live import ChangeFeed
from app.core.media.opening import open_store
from app.core.media.store import MediaStore
from app.core.passwords import PasswordHasher
from app.core.ports import Doorbell
from app.dashboard.overview import Overviews
from app.messaging.desk.service import Inbox
from app.messaging.numbers.campaigns import Campaigns
from app.messaging.numbers.pairing import NumberPairing
from app.messaging.numbers.reading import Access
from app.messaging.numbers.service import Numbers
from billing.payments.checkout import Checkout
from billing.payments.stripe_api import StripeApi
from tenants.accounts import Accounts
from tenants.admins import Admins
from tenants.api_keys import ApiKeys
from tenants.business_export import BusinessExports
from tenants.businesses import Businesses, OnCreate
from tenants.closing import Closing
from tenants.conduct import ConductSettings
from tenants.deny_list import DenyList
from tenants.email_change import EmailChange
from tenants.factor_rule import FactorRule
from tenants.invitations import Invitations
from tenants.memberships import Team
from tenants.own_phones import OwnPhones
from tenants.passkeys import Passkeys
from tenants.phone_codes import PhoneCodes
from tenants.second_factor import SecondFactor


@dataclass(frozen=True, slots=True)
class Services:
    """The services behind the pages."""

    database: Database
    accounts: Accounts
    email_change: EmailChange
    second_factor: SecondFactor
    factor_rule: FactorRule
    passkeys: Passkeys
    businesses: Businesses
    conduct: ConductSettings
    team: Team
    invitations: Invitations
    api_keys: ApiKeys
    exports: BusinessExports
    closing: Closing
    own_phones: OwnPhones
    checkout: Checkout
    admins: Admins
    deny_list: DenyList
    doorbell: Doorbell
    numbers: Numbers
    number_pairing: NumberPairing
    campaigns: Campaigns
    assistant: Assistant
    assistant_versions: Versions
    assistant_tools: ToolSettings
    playground: Playground
    library: Library
    overviews: Overviews
    inbox: Inbox
    media_store: MediaStore

    @classmethod
    def build(
        cls,
        settings: Settings,
        database: Database,
        limiter: Limiter,
        sender: WahaClient,
        *,
        session: Any,
        guarded: Any,
        doorbell: Doorbell,
        on_create: OnCreate | None = None,
    ) -> "Services":
        """Build them on a process's pools.

        ``sender`` speaks on WhatsApp, ``session`` (aiohttp's) to Stripe, ``guarded`` to
        where tenants say, ``doorbell`` wakes workers; ``on_create`` adds to a new business
        (its wallet).
        """
        accounts = Accounts(database, limiter, settings, PasswordHasher())
        keyring, waha_sessions = settings.keyring(), WahaSessions(sender.calls)
        assistant = build_assistant(settings, database, guarded, codes=None)
        rewriter = Rewriter(assistant.model, settings)
        numbers = Numbers(database, waha_sessions, settings, keyring)
        return cls(
            database=database,
            accounts=accounts,
            email_change=EmailChange(accounts),
            second_factor=SecondFactor(accounts, settings.keyring()),
            factor_rule=FactorRule(accounts),
            passkeys=Passkeys(accounts, settings.app_url),
            businesses=Businesses(database, on_create),
            conduct=ConductSettings(database, settings.timings),
            team=Team(accounts),
            invitations=Invitations(accounts),
            api_keys=ApiKeys(database),
            exports=BusinessExports(database),
            closing=Closing(accounts),
            own_phones=OwnPhones(database, PhoneCodes(database, limiter, settings, sender)),
            checkout=Checkout(database, StripeApi(settings, session), settings),
            admins=Admins(accounts),
            deny_list=DenyList(database),
            doorbell=doorbell,
            numbers=numbers,
            campaigns=Campaigns(database),
            assistant=assistant,
            assistant_versions=Versions(
                database, (settings.openai_model, settings.openai_fallback_model)
            ),
            assistant_tools=ToolSettings(database, settings, guarded),
            playground=Playground(database, assistant.answerer, limiter),
            library=Library(database, assistant.retriever, rewriter, settings, doorbell),
            overviews=Overviews(database),
            media_store=open_store(settings),
            inbox=Inbox(database, doorbell, ChangeFeed(database)),
            number_pairing=NumberPairing(
                database, numbers, waha_sessions, sender, Access(settings, keyring)
            ),
        )
