"""What Schemathesis has to know of the service that it tries: who asks, and what is there to be asked for.

Made-up ids name nothing, so of the requests whose parameters fit the document each operation's first and then half get
values of things that are there; without them, most operations would only ever be seen to refuse. What is known comes from the test, as a file of JSON:

  tokens        by name; "usual" is for all operations that `as` doesn't mention
  as            operation id: the name of the token, or "guest"
  guests        tokens of guests, each good for one request
  path          path of the document (or how it begins): parameter: values
  organization  the caller's own
  query         operation id: whole queries
  headers       operation id: header: values
  bodies        operation id: bodies as text
  seen          where the answers are counted: operation id: status: how many
"""

import atexit
import collections
import json
import os
import random
import threading

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

with open(os.environ["ANTEROOM_CONTRACT"], encoding="utf-8") as file:
    known = json.load(file)
chance = random.Random(known["seed"])
lock = threading.Lock()
seen = collections.defaultdict(collections.Counter)
used = set()  # operations that were asked for with what is there


def operation_id(operation):
    return operation.definition.raw.get("operationId", operation.label)


@schemathesis.auth(refresh_interval=None)
class WhoAsks:
    def get(self, case, context):
        name = known["as"].get(operation_id(context.operation), "usual")
        if name == "guest":
            with lock:
                return known["guests"].pop() if known["guests"] else None
        return known["tokens"][name]

    def set(self, case, token, context):
        if token:
            case.headers["Authorization"] = f"Bearer {token}"


def fits(case, location):
    """Whether what was made up is as the document says; what is wrong on purpose stays wrong."""
    return case.meta is None or not case.meta.is_negative_at(location)


@schemathesis.hook
def before_call(context, case, kwargs):
    name = operation_id(case.operation)
    # Another organisation is refused before anything else is looked at.
    if fits(case, ParameterLocation.QUERY) and case.query and "org" in case.query and chance.random() < 0.9:
        case.query["org"] = known["organization"]
    if case.method.upper() != case.operation.method.upper():
        return
    everything = all(fits(case, location) for location in ParameterLocation)
    if name in used and chance.random() < 0.5:
        return
    if everything:
        used.add(name)
    if fits(case, ParameterLocation.PATH) and case.path_parameters:
        for path, parameters in known["path"].items():
            if case.operation.path.startswith(path):
                for parameter, values in parameters.items():
                    if parameter in case.path_parameters:
                        case.path_parameters[parameter] = chance.choice(values)
    if fits(case, ParameterLocation.QUERY) and case.query:
        for token in ("page_token", "$skiptoken"):  # the service signs them, so that one that is made up is never there
            case.query.pop(token, None)
    if fits(case, ParameterLocation.QUERY) and name in known["query"]:
        case.query = dict(chance.choice(known["query"][name]))
    if fits(case, ParameterLocation.HEADER):
        for header, values in known["headers"].get(name, {}).items():
            case.headers[header] = chance.choice(values)
        if "If-Match" in [p.name for p in case.operation.headers]:
            case.headers["If-Match"] = version_of(case) or '"none"'
    if fits(case, ParameterLocation.BODY) and name in known["bodies"]:
        case.body = body_of(case, chance.choice(known["bodies"][name]))


def body_of(case, text):
    """A body as Schemathesis wants it: values for JSON, text for text. {unique} is different in each."""
    text = text.replace("{unique}", f"u{chance.getrandbits(48)}")
    if case.media_type == "application/json":
        return json.loads(text)
    return text if case.media_type.startswith("text/") else text.encode()


def version_of(case):
    """The ETag of what is to be changed."""
    answer = requests.get(
        case.operation.base_url.rstrip("/") + case.formatted_path, headers={"Authorization": case.headers.get("Authorization", "")}, timeout=20
    )
    return answer.headers.get("ETag")


@schemathesis.hook
def after_call(context, case, response):
    if case.method.upper() == case.operation.method.upper():
        with lock:
            seen[operation_id(case.operation)][response.status_code] += 1


@atexit.register
def write_seen():
    with open(known["seen"], "w", encoding="utf-8") as file:
        json.dump(seen, file, indent=1, sort_keys=True)
