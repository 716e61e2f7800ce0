"""What a message with a file says in the history, and what is answered when it says nothing."""

from app.messaging.media.models import KINDS

_UNHEARD = {
    "audio": "(it could not be heard)",
    "image": "(it could not be opened)",
    "document": "(it could not be opened)",
    "video": "(videos cannot be watched here)",
}
_PLEASE_TYPE = {
    "en": "Sorry, I can't open that here. Could you write me in a few words what you need?",
    "es": "Perdona, aquí no puedo abrirlo. ¿Me escribes en pocas palabras lo que necesitas?",
    "pt": "Desculpe, não consigo abrir isso aqui. Pode escrever em poucas palavras o que precisa?",
    "de": "Das kann ich hier leider nicht öffnen. Schreiben Sie mir kurz, worum es geht?",
    "fr": "Désolé, je ne peux pas ouvrir cela ici. Pouvez-vous m'écrire en quelques mots ?",
    "it": "Mi dispiace, qui non riesco ad aprirlo. Può scrivermi in breve di cosa ha bisogno?",
    "id": "Maaf, saya tidak bisa membukanya di sini. Bisa tuliskan singkat apa yang Anda perlukan?",
    "ar": "عذرًا، لا أستطيع فتح ذلك هنا. هل يمكنك أن تكتب لي باختصار ما تحتاج إليه؟",
}
_OTHERWISE = "en"


def said(kind: str, body: str, reading: str | None, name: str | None, *, known: bool) -> str:
    """Return a message's words for the history.

    Args:
        kind: the message's.
        body: what was typed: the caption, where there is a file.
        reading: what the file says; None when nobody could tell.
        name: the file's.
        known: False where nothing is known of the file (sent before files were kept).
    """
    if kind not in _UNHEARD or not known:
        return body
    if reading is None:
        told = _UNHEARD[kind]
    elif kind == "audio":
        told = reading
    elif kind == "image":
        told = f"(it shows: {reading})"
    else:
        told = f"({name}: {reading})" if name else f"({reading})"
    return f"{body} {told}".strip()


def is_wordless(kind: str, body: str, reading: str | None) -> bool:
    """Tell whether nothing of a message could be understood."""
    return kind in KINDS and not body.strip() and not reading


def please_type(locale: str) -> str:
    """Return the request to type instead, in a business's language."""
    return _PLEASE_TYPE.get(locale.partition("-")[0].lower(), _PLEASE_TYPE[_OTHERWISE])


def asks_to_type(text: str) -> bool:
    """Tell whether a reply of ours was that request (a greeting may stand in front of it)."""
    return text.endswith(tuple(_PLEASE_TYPE.values()))
