"""The strings that the phone page's script shows, translated on the server."""

from collections.abc import Callable


def phone_strings(gettext: Callable[[str], str]) -> dict[str, str]:
    """The strings by the names the script knows them under; `{…}` is filled in by the script."""
    _ = gettext
    return {
        "assistant": _("Assistant"),
        "owner": _("You"),
        "business": _("Business"),
        "online": _("online"),
        "typing": _("typing…"),
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "empty_customer": _("Write something below. The assistant answers here."),
        "empty_business": _("This is the paired phone. What the assistant sends shows here too."),
        "no_customers": _("Nobody has written yet."),
        "image": _("Picture"),
        "video": _("Video"),
        "voice": _("Voice message"),
        "audio": _("Audio"),
        "document": _("Document"),
        "sticker": _("Sticker"),
        "ticks_0": _("Waiting"),
        "ticks_1": _("Sent"),
        "ticks_2": _("Delivered"),
        "ticks_3": _("Read"),
        "failed": _("Not delivered"),
        "no_session": _("No WhatsApp session yet: connect a number in Parley first."),
        "session": _("{name}: {status}"),
        "not_sent": _("Could not send: {reason}"),
        "offline": _("The simulator is not reachable. Trying again…"),
        "waits_scan": _("A number in Parley waits for a phone."),
        "waits_passkey": _("A number in Parley waits for this phone's passkey."),
        "scan": _("Scan the code"),
        "confirm": _("Confirm"),
        "not_scanned": _("Could not scan: {reason}"),
        "type_to_speak": _("Type what the voice note says, then press the microphone."),
        "bad_number": _("A number has 5 to 15 digits."),
        "model_echo": _("Model mode “echo”: replies repeat what the customer wrote."),
        "model_script": _("Model mode “script”: replies come from a script."),
    }


def mail_outcomes(gettext: Callable[[str], str]) -> dict[str, str]:
    """What became of a mail, in words; one that was only sent has none."""
    _ = gettext
    return {
        "delivered": _("Delivered"),
        "bounced": _("Came back"),
        "complained": _("Marked as spam"),
    }
