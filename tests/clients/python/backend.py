"""A backend on the client that is generated from the document of the API: it creates, reads and cancels an event.

The argument is the directory with the generated package `bridge`. BRIDGE is the bridge's address, KEY an API key.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])

from bridge import AuthenticatedClient
from bridge.api.events import cancel_event, create_event, show_event
from bridge.models import EventBody, NewEvent, Problem

client = AuthenticatedClient(base_url=os.environ["BRIDGE"], token=os.environ["KEY"], raise_on_unexpected_status=True)

wish = NewEvent(
    summary="Tea in Python",
    start="2030-05-02T14:00:00",
    end="2030-05-02T15:00:00",
    time_zone="Europe/Lisbon",
    external_id="order-17",
)
made = create_event.sync(client=client, body=wish, prefer="wait=20")
assert isinstance(made, EventBody), made
assert made.state == "confirmed", made
assert made.start.instant == "2030-05-02T13:00:00Z", made.start

read = show_event.sync(made.id, client=client)
assert isinstance(read, EventBody), read
assert (read.id, read.summary, read.external_id) == (made.id, "Tea in Python", "order-17"), read
assert read.meet.state == "ready" and read.meet.link.startswith("https://"), read.meet

gone = cancel_event.sync(made.id, client=client, prefer="wait=20")
assert isinstance(gone, EventBody), gone
assert gone.state == "cancelled", gone

unknown = show_event.sync("0" * 26, client=client)
assert isinstance(unknown, Problem), unknown
assert (unknown.code, unknown.status) == ("not_found", 404), unknown
print("created, read and cancelled", made.google.event_id)
