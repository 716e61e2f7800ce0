"""Marlow & Finch, the bakery that `parley up` opens with: facts a stranger can ask about."""

from app.core.money import UCR_PER_CREDIT
from billing.plans import Package, Plan

NAME = "Marlow & Finch Bakery"
SLUG = "marlow-and-finch"
TIME_ZONE = "Europe/Dublin"
COUNTRY = "IE"
PLAN_CODE = "demo"
SESSION = "marlow-and-finch"

PERSONA = (
    "Warm, quick and a little proud of the bread. Speaks as the bakery's front desk, uses first"
    " names when known, at most one emoji."
)
GREETING = "Hi, and thanks for writing to Marlow & Finch!"
DISCLOSURE = "I'm the bakery's AI assistant; ask for a person any time."
HANDOVER_TEXT = (
    "I'm passing this to one of our team. They answer during opening hours, usually within the"
    " hour."
)

FACTS = (
    ("what we are", "Sourdough bakery and café in Kilrane Quay, run by Aoife Marlow and Tom Finch"),
    ("address", "14 Lantern Street, Kilrane Quay, next to the lifeboat station"),
    (
        "opening hours",
        "Monday closed, Tuesday to Friday 7:30 to 17:30, Saturday 8:00 to 16:00, Sunday 9:00 to 14:00",
    ),
    ("phone orders", "on WhatsApp any time; the shop phone is answered 8:00 to 12:00"),
    ("sourdough loaf price", "€5.80 (800 g), €3.20 for half a loaf"),
    ("seeded rye price", "€6.40 (900 g)"),
    ("baguette price", "€2.60"),
    ("croissant price", "€2.80 plain, €3.40 almond"),
    ("cinnamon knot price", "€3.50"),
    ("coffee prices", "espresso €2.60, flat white €3.70, filter €3.00; oat milk at no charge"),
    ("celebration cakes", "from €38 for 8 people; order 3 days ahead; €15 deposit"),
    (
        "delivery area",
        "Kilrane Quay, Riverside, Harbour View and St Brendan's; not beyond the ring road",
    ),
    ("delivery price", "€3.50, free from €30; Tuesday to Saturday between 8:00 and 11:00"),
    ("payment", "cash, cards, Apple Pay and Google Pay; cakes by payment link"),
    (
        "allergens",
        "our kitchen uses wheat, milk, eggs, nuts and sesame, so everything may hold traces",
    ),
    ("parking", "free for 30 minutes on Lantern Street, car park at the harbour (2 minutes)"),
    ("website", "https://marlowandfinch.example"),
)

QUESTIONS = (
    (
        "Do you have gluten-free bread?",
        (
            "We bake one gluten-reduced buckwheat loaf on Fridays (€7.20), but our kitchen is full of"
            " wheat flour, so it is not safe for coeliacs."
        ),
    ),
    (
        "Do you have vegan options?",
        (
            "Yes: all sourdoughs, the seeded rye and the baguettes are vegan, and there is a vegan"
            " cinnamon knot every day."
        ),
    ),
    (
        "How do I order a birthday cake?",
        (
            "Tell us the date, the number of people and the flavour (lemon, chocolate or carrot) at"
            " least 3 days ahead. We then send a payment link for the €15 deposit."
        ),
    ),
    (
        "Can I cancel or change a cake order?",
        (
            "Changes and cancellations are free until 48 hours before pick-up; after that the deposit"
            " is kept."
        ),
    ),
    (
        "How should I keep the bread?",
        (
            "Cut side down on a board or in a paper bag for 3 days. Sliced, it freezes well for a"
            " month."
        ),
    ),
    (
        "Do you deliver to Riverside?",
        (
            "Yes, we deliver to Riverside Tuesday to Saturday between 8:00 and 11:00 for €3.50, free"
            " from €30."
        ),
    ),
    (
        "Can I reserve a table?",
        (
            "Tables are first come, first served. For groups of 6 and more write to us the day before"
            " and we keep a corner for you."
        ),
    ),
    (
        "Do you supply cafés and restaurants?",
        (
            "Yes, from 20 loaves a week. Tom looks after trade customers; ask for him and we connect"
            " you."
        ),
    ),
    (
        "Are dogs allowed?",
        "Dogs are welcome at the tables outside, and there is always a bowl of water.",
    ),
    (
        "When is the bread fresh?",
        (
            "The first sourdough is out at 7:30, the second bake at 11:00. From 15:00 yesterday's"
            " loaves are half price."
        ),
    ),
    (
        "Do you offer baking courses?",
        (
            "On the first Sunday of the month from 15:00 to 18:00: sourdough for beginners, €65 with"
            " starter and apron, 8 places."
        ),
    ),
    (
        "Do you sell gift vouchers?",
        "Yes, from €10, in the shop or as a PDF by e-mail. They are valid for 5 years.",
    ),
)

SAMPLE_QUESTIONS = (
    "Hi! Are you open on Sunday?",
    "And how much is a sourdough loaf? Do you deliver to Riverside?",
)

PLANS = (
    Plan(code="free", name="Free", monthly_credits_ucr=50 * UCR_PER_CREDIT),
    Plan(
        code="starter",
        name="Starter",
        weight=2,
        monthly_credits_ucr=1_000 * UCR_PER_CREDIT,
        price_minor=2_900,
    ),
    Plan(
        code="business",
        name="Business",
        weight=4,
        max_inflight=32,
        monthly_credits_ucr=5_000 * UCR_PER_CREDIT,
        price_minor=9_900,
    ),
)
PACKAGES = (
    Package(
        code="credits-500",
        name="500 credits",
        credits_ucr=500 * UCR_PER_CREDIT,
        price_minor=1_900,
    ),
    Package(
        code="credits-2500",
        name="2,500 credits",
        credits_ucr=2_500 * UCR_PER_CREDIT,
        price_minor=7_900,
    ),
)
