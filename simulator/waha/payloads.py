"""Message payloads as each engine shapes them.

What differs is what integrations trip over: `to` is absent in NOWEB's direct chats, null in GOWS's
and filled in WEBJS's; `vCards` is null or an empty list; `_data` is the engine's own object.
"""

from typing import Any

from simulator.ids import lid_of
from simulator.waha.engine import Engine
from simulator.waha.history import Message

ACK_NAMES = {-1: "ERROR", 0: "PENDING", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}
# Baileys counts an error as 0 and starts at 1 for pending.
_BAILEYS_STATUS = {-1: 0, 0: 1, 1: 2, 2: 3, 3: 4, 4: 5}
_KIND_FIELD = {
    "image": "imageMessage",
    "video": "videoMessage",
    "voice": "audioMessage",
    "audio": "audioMessage",
    "document": "documentMessage",
    "sticker": "stickerMessage",
}


def internal_jid(chat_id: str) -> str:
    """A chat id in WhatsApp's internal form, as it stands in `_data`."""
    name, _, domain = chat_id.partition("@")
    return f"{name}@s.whatsapp.net" if domain == "c.us" else chat_id


def message_payload(message: Message, engine: Engine, base_url: str) -> dict[str, Any]:
    """The WAMessage of `message` and `message.any`, also what reading a chat lists."""
    if engine.name == "NOWEB":
        return _noweb(message, base_url)
    if engine.name == "GOWS":
        return _gows(message, base_url)
    return _webjs(message, base_url)


def ack_payload(message: Message, ack: int, engine: Engine) -> dict[str, Any]:
    """The payload of `message.ack`."""
    name = ACK_NAMES[ack]
    if engine.name == "NOWEB":
        return {
            "id": message.full_id,
            "from": message.chat_id,
            "fromMe": True,
            "ack": ack,
            "ackName": name,
        }
    if engine.name == "GOWS":
        receipt = {
            "Chat": internal_jid(message.chat_id),
            "Sender": internal_jid(message.chat_id),
            "IsFromMe": False,
            "IsGroup": False,
            "AddressingMode": "lid" if message.chat_id.endswith("@lid") else "",
            "SenderAlt": "",
            "RecipientAlt": "",
            "MessageIDs": [message.id],
            "Type": "read" if name == "READ" else "",
        }
        return {
            "id": message.full_id,
            "from": message.chat_id,
            "to": None,
            "participant": None,
            "fromMe": True,
            "ack": ack,
            "ackName": name,
            "_data": receipt,
        }
    return {
        "id": message.full_id,
        "from": message.me,
        "fromMe": True,
        "source": message.source,
        "to": message.chat_id,
        "body": message.text or "",
        "hasMedia": message.media is not None,
        "media": None,
        "ack": ack,
        "ackName": name,
        "vCards": [],
        "_data": {"id": _webjs_id(message), "ack": ack, "t": message.at_ms // 1000},
    }


def send_result(message: Message, engine: Engine) -> dict[str, Any]:
    """The body of a 201 after a send; no two engines agree on where the id is."""
    if engine.name == "NOWEB":
        return _baileys(message, status="PENDING")
    if engine.name == "GOWS":
        return {"id": message.full_id, "_data": _whatsmeow(message)}
    return {"id": _webjs_id(message), "_data": _webjs_data(message)}


def _media(message: Message, base_url: str) -> dict[str, Any] | None:
    if message.media is None or message.media.download == "off":
        return None
    if message.media.download == "failed":
        return {
            "url": None,
            "mimetype": message.media.mimetype,
            "filename": message.media.filename,
            "s3": None,
            "error": {"message": "Failed to download media", "name": "Error"},
        }
    file = f"{message.full_id}.{message.media.extension()}"
    return {
        "url": f"{base_url}/api/files/{message.session}/{file}",
        "mimetype": message.media.mimetype,
        "filename": message.media.filename,
        "s3": None,
        "error": None,
    }


def _reply_to(message: Message) -> dict[str, Any] | None:
    return {"id": message.reply_to} if message.reply_to else None


def _noweb(message: Message, base_url: str) -> dict[str, Any]:
    ack = message.ack if message.from_me else None
    payload: dict[str, Any] = {
        "id": message.full_id,
        "timestamp": message.at_ms // 1000,
        "from": message.chat_id,
        "fromMe": message.from_me,
        "source": message.source,
    }
    if message.sender:
        payload |= {"to": message.chat_id, "participant": message.sender}
    return payload | {
        "body": message.text or None,
        "hasMedia": message.media is not None,
        "media": _media(message, base_url),
        "ack": ack,
        "ackName": "UNKNOWN" if ack is None else ACK_NAMES[ack],
        "location": None,
        "vCards": None,
        "replyTo": _reply_to(message),
        "_data": _baileys(message, status=_BAILEYS_STATUS[message.ack]),
    }


def _gows(message: Message, base_url: str) -> dict[str, Any]:
    return {
        "id": message.full_id,
        "timestamp": message.at_ms // 1000,
        "from": message.chat_id,
        "fromMe": message.from_me,
        "source": message.source,
        "to": message.sender,
        "participant": message.sender,
        "body": message.text or None,
        "hasMedia": message.media is not None,
        "media": _media(message, base_url),
        "ack": max(message.ack, 0) if message.from_me else 0,
        "ackName": ACK_NAMES[max(message.ack, 0)] if message.from_me else "PENDING",
        "location": None,
        "vCards": None,
        "replyTo": _reply_to(message),
        "_data": _whatsmeow(message),
    }


def _webjs(message: Message, base_url: str) -> dict[str, Any]:
    ack = message.ack if message.from_me else 1
    payload: dict[str, Any] = {
        "id": message.full_id,
        "timestamp": message.at_ms // 1000,
        "from": message.me if message.from_me else message.chat_id,
        "fromMe": message.from_me,
        "source": message.source,
        "to": message.chat_id if message.from_me else message.me,
    }
    if message.sender:
        payload["participant"] = message.sender
    return payload | {
        "body": message.text or "",
        "hasMedia": message.media is not None,
        "media": _media(message, base_url),
        "ack": ack,
        "ackName": ACK_NAMES[ack],
        "vCards": [],
        "replyTo": _reply_to(message),
        "_data": _webjs_data(message),
    }


def _baileys(message: Message, *, status: int | str) -> dict[str, Any]:
    key: dict[str, Any] = {
        "remoteJid": internal_jid(message.chat_id),
        "fromMe": message.from_me,
        "id": message.id,
    }
    if message.chat_id.endswith("@lid") and message.phone.isdigit():
        key["remoteJidAlt"] = f"{message.phone}@s.whatsapp.net"
        key["addressingMode"] = "lid"
    if message.sender:
        key["participant"] = internal_jid(message.sender)
    seconds = message.at_ms // 1000
    data: dict[str, Any] = {
        "key": key,
        # The send's answer has a string here, the event a number: protobuf's long, stringified.
        "messageTimestamp": str(seconds) if isinstance(status, str) else seconds,
        "message": _content(message),
        "status": status,
    }
    if message.push_name and not message.from_me:
        data |= {"pushName": message.push_name, "broadcast": False}
    return data


def _content(message: Message) -> dict[str, Any]:
    media = message.media
    if media is None:
        if message.from_me:
            return {"extendedTextMessage": {"text": message.text or ""}}
        return {"conversation": message.text or ""}
    body: dict[str, Any] = {"mimetype": media.mimetype, "fileLength": str(len(media.content))}
    if message.text:
        body["caption"] = message.text
    if media.filename:
        body["fileName"] = media.filename
    if media.kind == "voice":
        body["ptt"] = True
    return {_KIND_FIELD[media.kind]: body}


def _whatsmeow(message: Message) -> dict[str, Any]:
    hidden = message.chat_id.endswith("@lid")
    chat = internal_jid(message.chat_id)
    known = message.phone.isdigit()
    sender = internal_jid(message.sender) if message.sender else chat
    alternative = f"{message.phone}@s.whatsapp.net" if hidden and known else ""
    if not hidden and known:
        alternative = f"{lid_of(message.phone)}@lid"
    return {
        "Info": {
            "Chat": chat,
            "Sender": internal_jid(message.me or "") if message.from_me else sender,
            "IsFromMe": message.from_me,
            "IsGroup": chat.endswith("@g.us"),
            "AddressingMode": "lid" if hidden else "pn",
            "SenderAlt": "" if message.from_me else alternative,
            "RecipientAlt": alternative if message.from_me else "",
            "ID": message.id,
            "ServerID": 0,
            "Type": "media" if message.media else "text",
            "PushName": "" if message.from_me else message.push_name or "",
            "Timestamp": message.at_ms // 1000,
        },
        "Message": _content(message),
    }


def _webjs_id(message: Message) -> dict[str, Any]:
    return {
        "fromMe": message.from_me,
        "remote": message.chat_id,
        "id": message.id,
        "_serialized": message.full_id,
    }


def _webjs_data(message: Message) -> dict[str, Any]:
    kinds = {"voice": "ptt"}
    media = message.media
    return {
        "id": _webjs_id(message),
        "body": message.text or "",
        "type": kinds.get(media.kind, media.kind) if media else "chat",
        "t": message.at_ms // 1000,
        "notifyName": "" if message.from_me else message.push_name or "",
        "from": message.me if message.from_me else message.chat_id,
        "to": message.chat_id if message.from_me else message.me,
        "ack": message.ack if message.from_me else 1,
    }
