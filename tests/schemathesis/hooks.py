"""What the run itself stands on is not taken away: the account that is connected, and the key it calls with."""

import os

import schemathesis

KEPT = os.environ["KEPT"].split()
NOBODYS = "0" * 26
TAKES_AWAY = {
    ("DELETE", "/api/v1/api-keys/{id}"),
    ("DELETE", "/api/v1/connections/{id}"),
    ("POST", "/api/v1/connections/{id}/disconnect"),
}


@schemathesis.hook
def before_call(context, case, kwargs):
    takes_away = (case.method.upper(), case.operation.path) in TAKES_AWAY
    if takes_away and (case.path_parameters or {}).get("id") in KEPT:
        case.path_parameters["id"] = NOBODYS
