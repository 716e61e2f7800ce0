"""An OpenAI-compatible service: chat completions, embeddings, transcriptions, models."""

import asyncio
import logging
import time
from typing import Any

import msgspec

from simulator.forms import read_form
from simulator.http import Headers, HttpError, Request, Response, Router, json_response
from simulator.ids import ulid
from simulator.model.embeddings import DIMENSIONS, as_base64, embed
from simulator.model.hearing import words_of
from simulator.model.modes import ModelMode, ScriptItem
from simulator.model.obedient import Wanted, obey
from simulator.model.prompts import content_text, unanswered
from simulator.model.result import ANSWER, Result
from simulator.model.schema import fit_json, plain_object
from simulator.model.seeing import describe, pictures
from simulator.model.translating import translate
from simulator.model.using import wish, with_results

BYTES_PER_TOKEN = 4
BYTES_PER_HEARD_TOKEN = 200
TOKENS_PER_PICTURE = 765
TOKENS_PER_MESSAGE = 3
INPUTS_MAX = 2048
SEARCH_QUERY = "search_query"
"""The schema of a question that is to be translated for a search."""
# Itself, and the names under which the product asks for it.
MODELS = ("parley-demo", "gpt-4.1-mini", "text-embedding-3-small", "gpt-4o-mini-transcribe")
log = logging.getLogger("simulator.model")


def _error(status: int, message: str, code: str | None = None, param: str | None = None) -> Any:
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004
    detail = {"message": message, "type": kind, "param": param, "code": code}
    return HttpError(status, {"error": detail})


def tokens_of(text: str) -> int:
    """About how many tokens a text has: one for four bytes."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


class ModelService:
    """Answers `/v1/…` in the mode that the control sets."""

    def __init__(self, mode: ModelMode) -> None:
        self._mode = mode
        self._router = Router()
        self._router.add("POST", "/v1/chat/completions", self.chat)
        self._router.add("POST", "/v1/embeddings", self.embeddings)
        self._router.add("POST", "/v1/audio/transcriptions", self.transcriptions)
        self._router.add("GET", "/v1/models", self.models)
        self._router.add("GET", "/v1/models/{model}", self.model)

    async def handle(self, request: Request) -> Response:
        """Answer one call, errors in OpenAI's shape."""
        try:
            if not request.bearer():
                message = "You didn't provide an API key in an Authorization: Bearer header."
                raise _error(401, message)
            handler, _ = self._router.find(request)
            if handler is None:
                message = f"Invalid URL ({request.method} {request.path})"
                raise _error(404, message, "unknown_url")
            response = await handler(request)
        except HttpError as error:
            response = error.response()
        response.headers.append(("x-request-id", f"req_{ulid()}"))
        return response

    async def models(self, _: Request) -> Response:
        """The models there are; any other name is taken as well."""
        return json_response({"object": "list", "data": [_model(name) for name in MODELS]})

    async def model(self, request: Request) -> Response:
        """One model."""
        return json_response(_model(request.params["model"]))

    async def chat(self, request: Request) -> Response:
        """One chat completion."""
        body = _json_object(request)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise _error(400, "Missing required parameter: 'messages'.", None, "messages")
        if not isinstance(body.get("model"), str):
            raise _error(400, "you must provide a model parameter", None, "model")
        if body.get("stream"):
            raise _error(400, "This model does not support streaming.", None, "stream")
        item = self._mode.next_item() if self._mode.mode == "script" else None
        delay_ms = item.delay_ms if item and item.delay_ms is not None else self._mode.delay_ms
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        if item and (item.status is not None or item.body is not None):
            return _scripted_answer(item)
        return json_response(self._completion(body, messages, item))

    async def embeddings(self, request: Request) -> Response:
        """Vectors for one text or a list of texts."""
        body = _json_object(request)
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
            raise _error(400, "'input' must be a string or a list of strings.", None, "input")
        if len(texts) > INPUTS_MAX:
            raise _error(400, f"'input' has more than {INPUTS_MAX} items.", None, "input")
        if body.get("dimensions") not in {None, DIMENSIONS}:
            message = f"This model does not support specifying dimensions: it has {DIMENSIONS}."
            raise _error(400, message, None, "dimensions")
        packed = body.get("encoding_format") == "base64"
        vectors, used = await embed(texts)
        data = [
            {"object": "embedding", "index": i, "embedding": as_base64(v) if packed else v}
            for i, v in enumerate(vectors)
        ]
        return json_response(
            {
                "object": "list",
                "data": data,
                "model": body.get("model"),
                "usage": {"prompt_tokens": used, "total_tokens": used},
            }
        )

    async def transcriptions(self, request: Request) -> Response:
        """The words of a recording: those it carries in itself (`hearing`)."""
        form = read_form(request)
        file, model = form.get("file"), form.get("model")
        if file is None or file.filename is None:
            raise _error(400, "Missing required parameter: 'file'.", None, "file")
        if model is None:
            raise _error(400, "you must provide a model parameter", None, "model")
        if self._mode.delay_ms:
            await asyncio.sleep(self._mode.delay_ms / 1000)
        text = words_of(file.content)
        heard, written = len(file.content) // BYTES_PER_HEARD_TOKEN + 1, tokens_of(text)
        return json_response(
            {
                "text": text,
                "usage": {
                    "type": "tokens",
                    "input_tokens": heard,
                    "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
                    "output_tokens": written,
                    "total_tokens": heard + written,
                },
            }
        )

    def _completion(
        self, body: dict[str, Any], messages: list[dict[str, Any]], item: ScriptItem | None
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        calls = item.tool_calls if item else self._wished(body, messages)
        if calls:
            message["tool_calls"] = [_tool_call(call) for call in calls]
            text, finish = msgspec.json.encode(calls).decode(), "tool_calls"
        elif item and item.refusal is not None:
            message["refusal"] = text = item.refusal
            finish = "stop"
        else:
            text, finish = _cut(self._content(body, messages, item), body)
            message["content"] = text
        if item and item.finish_reason:
            finish = item.finish_reason
        return {
            "id": f"chatcmpl-{ulid()}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body["model"],
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
            ],
            "usage": _usage(messages, body, text),
            "service_tier": "default",
            "system_fingerprint": f"parley-{self._mode.mode}",
        }

    def _wished(
        self, body: dict[str, Any], messages: list[dict[str, Any]]
    ) -> list[dict[str, Any]] | None:
        """The tool calls that this mode makes instead of answering."""
        tools = body.get("tools") or []
        if not tools or body.get("tool_choice") == "none":
            return None
        if self._mode.mode == "obedient":
            obeyed = obey(messages, may_call=True)
            if isinstance(obeyed, Wanted):
                return [{"name": obeyed.name, "arguments": obeyed.arguments}]
        elif self._mode.mode == "demo" and (wanted := wish(messages, tools)):
            return [wanted]
        return None

    def _content(
        self, body: dict[str, Any], messages: list[dict[str, Any]], item: ScriptItem | None
    ) -> str:
        if item and item.raw is not None:
            return item.raw
        wanted = body.get("response_format") or {}
        if item is None and _schema_name(wanted) == SEARCH_QUERY:
            return msgspec.json.encode({"query": _search_query(messages)}).decode()
        result = self._result(messages, item)
        if wanted.get("type") == "json_schema":
            return fit_json((wanted.get("json_schema") or {}).get("schema") or {}, result)
        if wanted.get("type") == "json_object":
            return msgspec.json.encode(plain_object(result)).decode()
        return result.reply

    def _result(self, messages: list[dict[str, Any]], item: ScriptItem | None) -> Result:
        if item:
            return Result(
                reply=item.reply or "",
                action=item.action or ANSWER,
                reason_code=item.reason_code,
                used_sources=tuple(item.used_sources),
            )
        if seen := pictures(messages):
            return Result(reply="\n".join(describe(image) for image in seen))
        if self._mode.mode == "echo":
            return Result(reply="\n".join(unanswered(messages)))
        if self._mode.mode == "obedient":
            obeyed = obey(messages, may_call=False)
            return obeyed if isinstance(obeyed, Result) else Result(reply="")
        result = with_results(messages)
        log.info(
            "the demo model answered (%s): set OPENAI_API_KEY to use a real one", result.action
        )
        return result


def _schema_name(wanted: dict[str, Any]) -> str:
    return str((wanted.get("json_schema") or {}).get("name") or "")


def _search_query(messages: list[dict[str, Any]]) -> str:
    """A question in English; as it stands where another language was asked for."""
    question = _last_words(messages)
    wanted = content_text(messages[0].get("content"))
    return translate(question) if "into English" in wanted else question


def _last_words(messages: list[dict[str, Any]]) -> str:
    return content_text(messages[-1].get("content"))


def _json_object(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except msgspec.DecodeError as exc:
        message = "We could not parse the JSON body of your request."
        raise _error(400, message) from exc
    if not isinstance(body, dict):
        raise _error(400, "The body must be a JSON object.")
    return body


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "parley"}


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call in full; a script may give just `name` and `arguments`."""
    function = call.get("function") or {
        "name": call.get("name", ""),
        "arguments": call.get("arguments", {}),
    }
    arguments = function.get("arguments", {})
    if not isinstance(arguments, str):
        function = {**function, "arguments": msgspec.json.encode(arguments).decode()}
    return {"id": call.get("id") or f"call_{ulid()}", "type": "function", "function": function}


def _cut(text: str, body: dict[str, Any]) -> tuple[str, str]:
    """The text within the asked limit of tokens, and why it ended."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if not isinstance(limit, int) or tokens_of(text) <= limit:
        return text, "stop"
    return text.encode()[: limit * BYTES_PER_TOKEN].decode(errors="ignore"), "length"


def _usage(messages: list[dict[str, Any]], body: dict[str, Any], text: str) -> dict[str, Any]:
    prompt = sum(tokens_of(content_text(m.get("content"))) + TOKENS_PER_MESSAGE for m in messages)
    prompt += TOKENS_PER_PICTURE * len(pictures(messages))
    if body.get("response_format") or body.get("tools"):
        asked = msgspec.json.encode([body.get("response_format"), body.get("tools")])
        prompt += len(asked) // BYTES_PER_TOKEN
    completion = max(1, tokens_of(text))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _scripted_answer(item: ScriptItem) -> Response:
    status = item.status or 200
    headers: Headers = [(name.lower(), value) for name, value in item.headers.items()]
    if isinstance(item.body, str):
        headers.append(("content-type", "text/plain; charset=utf-8"))
        return Response(status=status, body=item.body.encode(), headers=headers)
    body = item.body
    if body is None:
        body = _error(status, f"Scripted answer with status {status}.").body
    return json_response(body, status=status, headers=headers)
