"""The scripts: each takes the request and its parameters and says what to do."""

from __future__ import annotations

import base64
import email.utils
import json
import re
import time
from collections.abc import Callable
from typing import Any

from tests.fakellm import samples, stories
from tests.fakellm.plan import Asked, Call, Plan, find_script, without_script

Parameters = dict[str, str]
Script = Callable[[Asked, Parameters], Plan]


def plan_for(asked: Asked) -> Plan:
    """The plan of the script in the request; `rate`, `first` and `finish` work with each of them."""
    name, parameters = find_script(asked.text)
    script = SCRIPTS.get(name)
    if script is None:
        return failure(400, f"There is no script {name!r}.", "no_such_script")
    plan = script(asked, parameters)
    plan.rate = float(parameters.get("rate", plan.rate))
    plan.first = float(parameters.get("first", plan.first))
    plan.finish = parameters.get("finish", plan.finish)
    return plan


def words(text: str) -> list[str]:
    """Text in tokens: a word with the space that follows it."""
    return re.findall(r"\s*\S+\s*", text) or ([text] if text else [])


def failure(status: int, message: str, code: str, kind: str = "invalid_request_error") -> Plan:
    error = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Plan(status=status, error=error)


def echo(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(tokens=words(f"You said: {without_script(asked.text)}"))


def summary(asked: Asked, parameters: Parameters) -> Plan:
    """What a request to fold a conversation gets."""
    return Plan(tokens=words(f"They exchanged {len(asked.text.splitlines())} lines."))


def long(asked: Asked, parameters: Parameters) -> Plan:
    """n tokens `w0 w1 …` at `rate` per second, a paragraph of each `paragraph` of them; with stamp=1 each is
    `w0:<time in ns> `."""
    count, paragraph = int(parameters.get("n", 100)), int(parameters.get("paragraph", 0))
    ends = [i + 1 < count and paragraph and not (i + 1) % paragraph for i in range(count)]
    tokens = [f"w{i}\n\n" if ends[i] else f"w{i} " for i in range(count)]
    return Plan(tokens=tokens, rate=50, stamp=parameters.get("stamp") == "1")


def sample(text: str) -> Script:
    def script(asked: Asked, parameters: Parameters) -> Plan:
        """The text, and `then` numbered words after it."""
        return Plan(tokens=[*words(text), *(f"w{i} " for i in range(int(parameters.get("then", 0))))])

    return script


def text(asked: Asked, parameters: Parameters) -> Plan:
    """What `base64` says."""
    return Plan(tokens=words(base64.b64decode(parameters["base64"]).decode()))


def unicode(asked: Asked, parameters: Parameters) -> Plan:
    """Characters of two to four bytes and clusters of several, the bytes cut anywhere."""
    return Plan(tokens=words(samples.UNICODE * int(parameters.get("n", 1))), splits=True)


def reasoning(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(reasoning=words(samples.REASONING), tokens=words("The answer is 42."))


def tool(asked: Asked, parameters: Parameters) -> Plan:
    """One call of `name` with `args`, then its result, said as in `then`. whole=1: no index, one delta."""
    if asked.results:
        return Plan(tokens=words(parameters.get("then", "The tool said: {}").format(asked.results[-1])))
    name, arguments = parameters.get("name", "current_time"), parameters.get("args", "{}")
    return Plan(calls=[Call("call_1", name, arguments, whole=parameters.get("whole") == "1")])


def tools2(asked: Asked, parameters: Parameters) -> Plan:
    """Two calls in one turn, `name1 args1 name2 args2`, then text that quotes both results."""
    if asked.results:
        return Plan(tokens=words(f"The tools said: {' | '.join(asked.results)}"))
    first = Call("call_1", parameters.get("name1", "current_time"), parameters.get("args1", "{}"))
    expression = json.dumps({"expression": "6 * 7"})
    second = Call("call_2", parameters.get("name2", "calculate"), parameters.get("args2", expression))
    return Plan(calls=[first, second])


def looptools(asked: Asked, parameters: Parameters) -> Plan:
    """Always one more call of `name`."""
    number = len(asked.results) + 1
    return Plan(calls=[Call(f"call_{number}", parameters.get("name", "current_time"), parameters.get("args", "{}"))])


def rounds(asked: Asked, parameters: Parameters) -> Plan:
    """`n` rounds of `each` calls of `name` with `args`, whose ids begin anew with call_0 in each round; then text."""
    each, count = int(parameters.get("each", 1)), int(parameters.get("n", 3))
    if len(asked.results) >= each * count:
        return Plan(tokens=words(f"The tools said: {' | '.join(asked.results)}"))
    name, arguments = parameters.get("name", "current_time"), parameters.get("args", "{}")
    return Plan(calls=[Call(f"call_{number}", name, arguments) for number in range(each)])


def slow(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(tokens=words("Slow but here."), first=2.0)


def hang(asked: Asked, parameters: Parameters) -> Plan:
    """Headers, `after` tokens, then nothing, until the client leaves."""
    return Plan(tokens=_numbered(parameters), fault="hang", after=int(parameters.get("after", 0)))


def hangfirst(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(fault="hang", without_headers=True)


def faulty(fault: str) -> Script:
    def script(asked: Asked, parameters: Parameters) -> Plan:
        """With times=k only the first k requests with this text fail; `text` is what is written before."""
        if asked.nth >= int(parameters.get("times", 1_000_000)):
            return echo(asked, parameters)
        tokens = words(parameters["text"]) if "text" in parameters else _numbered(parameters)
        plan = Plan(tokens=tokens, after=int(parameters.get("after", 5)))
        plan.fault = fault  # type: ignore[assignment]
        plan.error = {
            "message": parameters.get("message", "The server is overloaded."),
            "type": "server_error",
        }
        if "code" in parameters:
            plan.error["code"] = parameters["code"]
        return plan

    return script


def status(asked: Asked, parameters: Parameters) -> Plan:
    """HTTP status `code` for the first `times` requests with this text, with Retry-After of `retry` seconds
    (or as an HTTP date `retrydate` seconds from now, or `retryms`) and `message`; then an echo."""
    if asked.nth >= int(parameters.get("times", 1)):
        return echo(asked, parameters)
    number = int(parameters.get("code", 429))
    message = parameters.get("message", f"This is an error {number}.")
    plan = failure(number, message, parameters.get("error", "rate_limit_exceeded" if number == 429 else "error"))
    if "retry" in parameters:
        plan.headers["Retry-After"] = parameters["retry"]
    if "retrydate" in parameters:
        at = time.time() + float(parameters["retrydate"])
        plan.headers["Retry-After"] = email.utils.formatdate(at, usegmt=True)
    if "retryms" in parameters:
        plan.headers["Retry-After-Ms"] = parameters["retryms"]
    if "location" in parameters:
        plan.headers["Location"] = parameters["location"]
    return plan


def refused_key(asked: Asked, parameters: Parameters) -> Plan:
    """Repeats the key it was sent, as careless proxies do."""
    return failure(401, f"Incorrect API key provided: {asked.key}.", "invalid_api_key")


def no_credit(asked: Asked, parameters: Parameters) -> Plan:
    return failure(402, "Insufficient credits. Add more at the provider.", "insufficient_quota")


def no_model(asked: Asked, parameters: Parameters) -> Plan:
    return failure(404, f"The model `{asked.body.get('model')}` does not exist.", "model_not_found")


def server_error(asked: Asked, parameters: Parameters) -> Plan:
    return failure(500, "The server had an error.", "server_error", "server_error")


def too_long(asked: Asked, parameters: Parameters) -> Plan:
    message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens."
    return failure(400, message, "context_length_exceeded")


def at_most(asked: Asked, parameters: Parameters) -> Plan:
    """An echo, unless the request has more than `n` characters: then it is too long."""
    length = sum(len(str(message.get("content") or "")) for message in asked.body["messages"])
    return echo(asked, parameters) if length <= int(parameters.get("n", 8000)) else too_long(asked, parameters)


def told_tools(asked: Asked, parameters: Parameters) -> Plan:
    """How many tools the request has."""
    return Plan(tokens=words(f"I have {len(asked.body.get('tools', []))} tools."))


def empty(asked: Asked, parameters: Parameters) -> Plan:
    return Plan()


def no_usage(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(tokens=words("Nobody counted this."), usage=False)


def no_done(asked: Asked, parameters: Parameters) -> Plan:
    """A finish reason, then the end of the body, without [DONE]."""
    return Plan(tokens=words("No mark at the end."), done=False, usage=False)


def whole_body(asked: Asked, parameters: Parameters) -> Plan:
    """A JSON body though a stream was asked for."""
    return Plan(tokens=words("All of it at once."), whole_body=True)


def odd_lines(asked: Asked, parameters: Parameters) -> Plan:
    """CRLF line ends, comments between events."""
    return Plan(tokens=words("Lines end oddly here."), line_end="\r\n", comments=True)


def no_stream_options(asked: Asked, parameters: Parameters) -> Plan:
    if "stream_options" in asked.body:
        return failure(400, "Unrecognized request argument supplied: stream_options", "unknown_parameter")
    return Plan(tokens=words("Without options."), usage=False)


def new_max_tokens(asked: Asked, parameters: Parameters) -> Plan:
    if "max_tokens" in asked.body:
        message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return failure(400, message, "unsupported_parameter")
    return Plan(tokens=words("In the new dialect."))


def page(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(error="<!doctype html><title>Welcome</title>", whole_body=True)


def _numbered(parameters: Parameters) -> list[str]:
    return [f"w{i} " for i in range(int(parameters.get("n", 100)))]


def cut_off(asked: Asked, parameters: Parameters) -> Plan:
    """An answer that the limit of tokens ends."""
    return Plan(tokens=words("It breaks off in the"), finish="length")


def content_filter(asked: Asked, parameters: Parameters) -> Plan:
    return Plan(finish="content_filter")


SCRIPTS: dict[str, Script] = {
    "echo": echo,
    "summary": summary,
    "long": long,
    **{name: sample(text) for name, text in {**samples.TEXTS, **stories.TEXTS}.items()},
    "text": text,
    "nothing": sample("Nothing new."),
    "unicode": unicode,
    "reasoning": reasoning,
    "tool": tool,
    "tools2": tools2,
    "looptools": looptools,
    "rounds": rounds,
    "slow": slow,
    "hang": hang,
    "hangfirst": hangfirst,
    **{name: faulty(name) for name in ("drop", "reset", "badjson", "streamerror", "errorevent")},
    "status": status,
    "401": refused_key,
    "402": no_credit,
    "404": no_model,
    "500": server_error,
    "toolong": too_long,
    "atmost": at_most,
    "whichtools": told_tools,
    "empty": empty,
    "nousage": no_usage,
    "nodone": no_done,
    "nostream": whole_body,
    "oddlines": odd_lines,
    "nooptions": no_stream_options,
    "newmaxtokens": new_max_tokens,
    "page": page,
    "cutoff": cut_off,
    "filter": content_filter,
}


def describe() -> dict[str, Any]:
    """Script names with what they say of themselves."""
    return {name: (script.__doc__ or "").strip() for name, script in SCRIPTS.items()}
