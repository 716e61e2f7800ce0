"""What people do: signing up by keyboard alone, the team, the second factor, language and look."""

import pyotp

from browser.visitor import PASSWORD, Visitor


def test_sign_up_by_keyboard(visitor: Visitor):
    page = visitor.open("/sign-up")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    page.focus("#name")
    for text in ("Kim Berg", "kim@example.com", PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past the button that shows the password
    assert page.evaluate("document.activeElement.id") == "terms"
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Look into your mailbox").wait_for()
    visitor.open(visitor.link_mailed_to("kim@example.com", "/verify-email"))
    page.get_by_role("button", name="Confirm my address").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    page.focus("#email")
    page.keyboard.type("kim@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/businesses/new")


def test_what_is_wrong_stands_beside_the_field(visitor: Visitor):
    visitor.refused.add("400")
    page = visitor.open("/sign-up")
    page.fill("#name", "Kim")
    page.fill("#email", "weak@example.com")
    page.fill("#password", "password1")
    page.check("#terms")
    visitor.press("Create my account")
    assert page.get_attribute("#password", "aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "password"
    assert page.input_value("#email") == "weak@example.com"
    visitor.examine("sign-up-refused")


def test_the_second_factor(visitor: Visitor):
    visitor.sign_up("Noa Reis", "noa@example.com")
    page = visitor.open("/account/authenticator")
    visitor.press("Show the QR code")
    seed = page.text_content("#seed") or ""
    visitor.examine("authenticator-code")
    page.fill("#code", pyotp.TOTP(seed).now())
    visitor.press("Switch it on")
    assert page.locator("#codes li").count() == 10
    recovery = (page.locator("#codes li").first.text_content() or "").strip()
    visitor.examine("recovery-codes")
    page.get_by_role("link", name="I have kept them").click()
    page.locator("form[action='/logout'] button:visible").first.click()
    visitor.sign_in("noa@example.com")
    page.wait_for_url("**/login/code**")
    visitor.examine("second-factor")
    page.fill("#code", recovery)
    visitor.press("Sign in")
    page.wait_for_url("**/businesses/new")


def test_a_passkey(visitor: Visitor):
    visitor.sign_up("Ida Holm", "ida@example.com")
    visitor.carry_authenticator()
    page = visitor.open("/account/passkeys/new")
    visitor.press("Add a passkey")
    page.wait_for_url("**/account")
    page.get_by_text("Your passkey is ready.").wait_for()
    page.locator("form[action='/logout'] button:visible").first.click()
    page.wait_for_url("**/login")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/businesses/new")


def test_contacts_from_a_list_to_their_erasure(owner: Visitor):
    page = owner.open("/contacts/import")
    rows = "phone,name,tags\n+351 912 345 678,Ana Duarte,regular\n12,Nobody,\n"
    file = {"name": "list.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.set_input_files("#file", [file])
    owner.press("Read the list")
    page.get_by_role("heading", name="1 contact can be imported").wait_for()
    owner.examine("contacts-preview")
    owner.press("Import")
    page.get_by_role("link", name="To the contacts").click()
    page.fill("#words", "duarte")
    page.wait_for_url("**/contacts?words=duarte**")
    page.get_by_role("link", name="Ana Duarte").click()
    page.get_by_role("heading", name="Ana Duarte").wait_for()
    page.fill("#notes", "Likes rye bread")
    owner.press("Save")
    owner.examine("contact")
    owner.press("Erase…")
    owner.press("Erase for good")
    page.get_by_text("The contact is erased.").wait_for()
    assert page.get_by_role("link", name="Ana Duarte").count() == 0


def test_a_key_and_an_export(owner: Visitor):
    page = owner.open("/settings/keys")
    owner.press("New key")
    page.fill("#name", "Web shop")
    owner.press("Make the key")
    assert (page.text_content("#made-key") or "").startswith("pk_live_")
    owner.examine("api-key-made")
    owner.open("/settings/data")
    owner.press("Prepare an export")
    link = page.get_by_role("link", name="Download")
    link.wait_for(timeout=30_000)
    owner.examine("data-ready")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.endswith(".jsonl.gz")


def test_inviting_somebody(owner: Visitor, visitor: Visitor):
    page = owner.open("/settings/team")
    page.set_viewport_size({"width": 1440, "height": 900})
    owner.press("Invite")
    page.fill("#email", "agent@example.com")
    owner.press("Send the invitation")
    page.get_by_text("The invitation is on its way.").wait_for()
    owner.examine("team-invited")
    visitor.sign_up("Agent Smit", "agent@example.com")
    theirs = visitor.open(visitor.link_mailed_to("agent@example.com", "/invitations/"))
    visitor.examine("invitation")
    visitor.press("Join the team")
    theirs.get_by_text("Welcome to the team!").wait_for()
    visitor.examine("home-agent")
    visitor.open("/inbox")
    visitor.examine("inbox-agent")
    visitor.refused.add("403")
    visitor.open("/settings/audit")
    theirs.get_by_role("heading", name="You cannot do this").wait_for()


def test_searching_the_activity(owner: Visitor):
    page = owner.open("/settings/audit")
    with page.expect_response(lambda r: "action=business" in r.url) as answer:
        page.select_option("#action", "business.")
    assert "<html" not in answer.value.text()
    page.wait_for_url("**action=business.**")


def test_language_and_look(visitor: Visitor):
    page = visitor.open("/login")
    page.locator("summary").first.click()
    visitor.press("Español")
    assert page.get_attribute("html", "lang") == "es"
    page.locator("summary").nth(1).click()
    visitor.press("Oscuro")
    assert page.get_attribute("html", "data-theme") == "dark"


def test_policy(product, browser):
    """With the policy in force: the script runs, styles apply, nothing is blocked."""
    context = browser.new_context(base_url=product.stack.environment["APP_URL"], locale="en")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto("/sign-up")
    page.fill("#password", "shown")
    page.get_by_role("button", name="Show the password").click()
    assert page.get_attribute("#password", "type") == "text"
    assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith('"Instrument')
    assert said == []
    context.close()
