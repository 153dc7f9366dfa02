"""Series of the simulated Google, held occurrence by occurrence against python-dateutil.

The rules are drawn from a fixed seed. dateutil walks each in wall time; what a wall time means in its zone is Python's
reading: of two moments the first, in a gap the offset before the gap.
"""

import datetime
import http.client
import json
import random
import unittest
import urllib.parse
from unittest import mock
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr

from simulated import PLAIN, simulator

CLIENT = {
    "client_id": "407408718192-simulator.apps.googleusercontent.com",
    "client_secret": "GOCSPX-known-to-everybody",
    "redirect_uri": "http://127.0.0.1:3001/oauth2callback",
}
EVENTS = "/calendar/v3/calendars/primary/events"
UTC = datetime.timezone.utc
SEED, RULES, BATCH = 20260327, 360, 30
ZONES = ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago",
         "Pacific/Auckland", "UTC"]
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
# Just before the clocks of the zones above go forward or back, and some days that are not in every year or month.
DAYS = [(2024, 3, 8), (2024, 3, 29), (2024, 4, 5), (2024, 9, 5), (2024, 9, 27), (2024, 10, 4), (2024, 10, 25),
        (2024, 11, 1), (2024, 2, 29), (2023, 12, 31), (2024, 1, 31), (2024, 1, 1), (2025, 6, 15), (2024, 8, 30)]
# Half an hour into what the clocks leave out or show twice, and the middle of the day.
TIMES = [(0, 0), (0, 30), (1, 30), (2, 15), (2, 30), (9, 0), (12, 45), (23, 30)]
# Not 52 and 53: dateutil takes the first days of 2039 for week 53 of 2038, which has 52.
WEEKS = ["1", "20", "-1", "1,10,51", "-2,7"]
SPANS = {"DAILY": 500, "WEEKLY": 1200, "MONTHLY": 2500, "YEARLY": 11000}


class Series:
    """A recurring event, drawn at random."""

    def __init__(self, chance):
        self.zone = chance.choice(ZONES)
        self.all_day = chance.random() < 0.2
        day = datetime.date(*chance.choice(DAYS)) + datetime.timedelta(days=chance.randrange(3))
        time = datetime.time(0, 0) if self.all_day else datetime.time(*chance.choice(TIMES))
        self.start = datetime.datetime.combine(day, time)
        if not self.all_day:
            # A start that the clocks leave out is the time they show instead, and its series goes on from there.
            self.start = self.moment(self.start).astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        self.frequency = chance.choice(list(SPANS))
        self.horizon = self.start + datetime.timedelta(days=SPANS[self.frequency])
        self.rules, self.rules_out, self.dates, self.dates_out, self.lines = [], [], [], [], []
        self.add_rule(chance, "RRULE", self.rules, self.frequency)
        if chance.random() < 0.15:
            self.add_rule(chance, "EXRULE", self.rules_out, chance.choice(["WEEKLY", "MONTHLY"]))
        if chance.random() < 0.5:
            named = self.walls(self.rules[0][0])[:30]
            if named:
                chosen = chance.sample(named, min(len(named), chance.randrange(1, 4)))
                self.add_dates(chance, "EXDATE", self.dates_out, chosen)
        if chance.random() < 0.3:
            chosen = [self.start + datetime.timedelta(days=chance.randrange(1, 400), hours=0 if self.all_day else 3)
                      for _ in range(chance.randrange(1, 3))]
            self.add_dates(chance, "RDATE", self.dates, chosen)

    def add_rule(self, chance, name, rules, frequency):
        parts = [f"FREQ={frequency}"]
        if chance.random() < 0.5:
            parts.append(f"INTERVAL={chance.randrange(1, 5)}")
        week_start = chance.choice(WEEKDAYS) if chance.random() < 0.3 else None
        parts += self.by_parts(chance, frequency)
        # dateutil counts positions in the first week from the start on, RFC 5545 from the week's first day on.
        whole = frequency != "WEEKLY" or WEEKDAYS[self.start.weekday()] == (week_start or "MO")
        if whole and any(part.startswith("BY") for part in parts) and chance.random() < 0.25:
            parts.append("BYSETPOS=" + chance.choice(["1", "-1", "2", "1,-1", "-2,3"]))
        if week_start:
            parts.append(f"WKST={week_start}")
        until, end = None, chance.random()
        rule = ";".join(parts)
        if end < 0.35:
            rule += f";COUNT={chance.randrange(1, 40)}"
            parts.append(rule.rsplit(";", 1)[1])
        elif end < 0.7:
            last = self.start + datetime.timedelta(days=chance.randrange(0, SPANS[frequency]), minutes=chance.choice([0, 0, 7]))
            if self.all_day:
                last = last.replace(minute=0)
            until, text = self.until(chance, last)
            parts.append(f"UNTIL={text}")
        self.lines.append(f"{name}:" + ";".join(parts))
        rules.append((rule, until))

    def until(self, chance, last):
        if self.all_day or chance.random() < 0.3:
            # A day ends a timed series as it begins in UTC.
            moment = datetime.datetime.combine(last.date(), datetime.time(0), UTC)
            if self.all_day and chance.random() < 0.3:
                return moment, f"{last:%Y%m%d}T070000Z"
            return moment, f"{last:%Y%m%d}"
        moment = self.moment(last)
        return moment, f"{moment:%Y%m%dT%H%M%SZ}"

    def by_parts(self, chance, frequency):
        days = lambda most: ",".join(chance.sample(WEEKDAYS, chance.randrange(1, most)))
        nth = lambda numbers: ",".join(
            f"{chance.choice(numbers)}{day}" for day in chance.sample(WEEKDAYS, chance.randrange(1, 3)))
        months = lambda: "BYMONTH=" + ",".join(map(str, sorted(chance.sample(range(1, 13), chance.randrange(1, 4)))))
        month_days = lambda: "BYMONTHDAY=" + chance.choice(["1", "15", "-1", "31", "29,30", "-2,3", "1,-31", "13"])
        if frequency == "DAILY":
            choices = [[], [months()], ["BYDAY=" + days(6)], [month_days()]]
            if not self.all_day:
                choices.append(["BYHOUR=1,2,14", "BYMINUTE=0,30"])
        elif frequency == "WEEKLY":
            choices = [[], ["BYDAY=" + days(5)], ["BYDAY=" + days(3), months()]]
        elif frequency == "MONTHLY":
            choices = [[], [month_days()], ["BYDAY=" + days(4)], ["BYDAY=" + nth([1, 2, 3, 4, 5, -1, -2])],
                       [month_days(), "BYDAY=" + days(4)], [months(), "BYDAY=" + nth([1, -1])], [months()]]
        else:
            choices = [[], [months()], [months(), month_days()], ["BYDAY=" + nth([1, 20, 53, -1, -10])],
                       [months(), "BYDAY=" + nth([1, 2, -1])], ["BYYEARDAY=" + chance.choice(["1,100,200", "366", "-1,60"])],
                       ["BYWEEKNO=" + chance.choice(WEEKS)], ["BYWEEKNO=" + chance.choice(WEEKS), "BYDAY=" + days(4)],
                       [month_days()], [months(), "BYDAY=" + days(4)]]
        parts = chance.choice(choices)
        chance.shuffle(parts)
        return parts

    def add_dates(self, chance, name, dates, walls):
        dates += [self.moment(wall) for wall in walls]
        zone = ZoneInfo("Asia/Kolkata")
        if self.all_day:
            head, texts = chance.choice(["", ";VALUE=DATE"]), [f"{wall:%Y%m%d}" for wall in walls]
        elif (form := chance.randrange(3)) == 0:
            head, texts = "", [f"{self.moment(wall):%Y%m%dT%H%M%SZ}" for wall in walls]
        elif form == 1:
            head, texts = ";TZID=Asia/Kolkata", [f"{self.moment(wall).astimezone(zone):%Y%m%dT%H%M%S}" for wall in walls]
        else:
            head, texts = f";TZID={self.zone}", [f"{wall:%Y%m%dT%H%M%S}" for wall in walls]
        if chance.random() < 0.5:
            self.lines.append(f"{name}{head}:" + ",".join(texts))
        else:
            self.lines += [f"{name}{head}:{text}" for text in texts]

    def moment(self, wall):
        zone = UTC if self.all_day else ZoneInfo(self.zone)
        return wall.replace(tzinfo=zone).astimezone(UTC)

    def walked(self, rule, until):
        found = sorted(map(self.moment, self.walls(rule)))
        return [moment for moment in found if until is None or moment <= until]

    def walls(self, rule):
        """Its wall times to the end of the horizon's year: dateutil would seek a match up to the year 9999."""
        with mock.patch.object(datetime, "MAXYEAR", self.horizon.year):
            return list(rrulestr(rule, dtstart=self.start))

    def expected(self):
        """The moments of its occurrences up to the horizon."""
        series = rruleset()
        for rule in self.rules:
            series.rrule(self.walked(*rule))
        for rule in self.rules_out:
            series.exrule(self.walked(*rule))
        for moment in [self.moment(self.start), *self.dates]:
            series.rdate(moment)
        for moment in self.dates_out:
            series.exdate(moment)
        return [moment for moment in series if moment < self.moment(self.horizon)]

    def body(self):
        if self.all_day:
            start, end = {"date": f"{self.start:%Y-%m-%d}"}, {"date": f"{self.start + datetime.timedelta(days=2):%Y-%m-%d}"}
        else:
            start = {"dateTime": self.start.isoformat(), "timeZone": self.zone}
            end = self.moment(self.start) + datetime.timedelta(minutes=45)
            end = {"dateTime": end.isoformat(), "timeZone": self.zone}
        return {"summary": "Tea", "start": start, "end": end, "recurrence": self.lines}

    def times(self, moment):
        """What an instance at `moment` tells: the end of its id, its start and its end."""
        if self.all_day:
            return f"{moment:%Y%m%d}", f"{moment:%Y-%m-%d}", f"{moment + datetime.timedelta(days=2):%Y-%m-%d}"
        return f"{moment:%Y%m%dT%H%M%SZ}", moment, moment + datetime.timedelta(minutes=45)


def moment_or_day(point):
    return point["date"] if "date" in point else datetime.datetime.fromisoformat(point["dateTime"]).astimezone(UTC)


class Recurrence(unittest.TestCase):
    def setUp(self):
        self.wire = http.client.HTTPConnection(urllib.parse.urlsplit(simulator(PLAIN).root).netloc)
        self.addCleanup(self.wire.close)

    def call(self, method, path, body=None, form=None, **parameters):
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        headers = {"content-type": "application/json"}
        if form is not None:
            body, headers = urllib.parse.urlencode(form), {"content-type": "application/x-www-form-urlencoded"}
        elif body is not None:
            body = json.dumps(body)
        if path.startswith("/calendar/"):
            headers["authorization"] = f"Bearer {self.token}"
        self.wire.request(method, path + query, body, headers)
        answer = self.wire.getresponse()
        text = answer.read()
        if answer.status == 302:
            return urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)
        self.assertLess(answer.status, 300, (method, path, parameters, text))
        return json.loads(text) if text else None

    def begin_again(self):
        """An empty calendar, a full quota."""
        self.call("POST", "/simulator/reset")
        asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": CLIENT["redirect_uri"],
                 "scope": "https://www.googleapis.com/auth/calendar.events"}
        back = self.call("POST", "/o/oauth2/v2/auth", form={"decision": "allow", "user": "ana@example.com"}, **asked)
        exchanged = self.call("POST", "/token", form={**CLIENT, "grant_type": "authorization_code", "code": back["code"][0]})
        self.token = exchanged["access_token"]

    def pages(self, path, **parameters):
        items, token = [], {}
        while token is not None:
            page = self.call("GET", path, **parameters, **token)
            items += page["items"]
            token = {"pageToken": page["nextPageToken"]} if "nextPageToken" in page else None
        return items

    def judge(self, series, master, items, moments):
        """The items are the instances at these moments, in order."""
        told = [(item["id"], moment_or_day(item["start"]), moment_or_day(item["end"])) for item in items]
        wanted = [(f"{master}_{end_of_id}", start, end) for end_of_id, start, end in map(series.times, moments)]
        self.assertEqual(told, wanted)
        for item in items:
            self.assertEqual(moment_or_day(item["originalStartTime"]), moment_or_day(item["start"]))
            self.assertEqual((item["recurringEventId"], "recurrence" in item), (master, False))

    def test_series_happen_when_dateutil_says(self):
        chance = random.Random(SEED)
        for number in range(RULES):
            if number % BATCH == 0:
                self.begin_again()
                batch = []
            series = Series(chance)
            expected = series.expected()
            with self.subTest(number=number, lines=series.lines, start=str(series.start), zone=series.zone):
                master = self.call("POST", EVENTS, body=series.body())["id"]
                path, horizon = f"{EVENTS}/{master}/instances", series.moment(series.horizon)
                until = {"timeMax": self.bound(series, horizon)}
                self.judge(series, master, self.pages(path, maxResults=100, **until), expected)
                for _ in range(2):
                    least, most = self.window(chance, series)
                    inside = [moment for moment in expected if self.meets(series, moment, least, most)]
                    items = self.pages(path, timeMin=self.bound(series, least), timeMax=self.bound(series, most))
                    self.judge(series, master, items, inside)
                batch.append((master, series, expected))
            if number % BATCH == BATCH - 1:
                self.judge_list(batch, chance)

    def judge_list(self, batch, chance):
        """A list of everything shows each series as its instances do, the earliest first."""
        least = datetime.datetime(2024, 3, 1, tzinfo=UTC) + datetime.timedelta(days=chance.randrange(300))
        most = least + datetime.timedelta(days=60)
        items = self.pages(EVENTS, singleEvents="true", orderBy="startTime", maxResults=100,
                           timeMin=least.isoformat(), timeMax=most.isoformat())
        zone = ZoneInfo("Europe/Lisbon")
        begin = lambda item: (datetime.datetime.fromisoformat(item["start"]["date"]).replace(tzinfo=zone).astimezone(UTC)
                              if "date" in item["start"] else moment_or_day(item["start"]))
        self.assertEqual([begin(item) for item in items], sorted(begin(item) for item in items))
        for master, series, expected in batch:
            inside = [moment for moment in expected if self.meets(series, moment, self.own(series, least), self.own(series, most))]
            self.judge(series, master, [item for item in items if item["recurringEventId"] == master], inside)

    def window(self, chance, series):
        begin = series.moment(series.start)
        days = (series.horizon - series.start).days
        least = begin + datetime.timedelta(days=chance.randrange(days), minutes=chance.choice([0, 44, 45, 46]))
        most = least + datetime.timedelta(days=chance.randrange(1, days))
        return least, min(most, series.moment(series.horizon))

    def meets(self, series, moment, least, most):
        span = datetime.timedelta(days=2) if series.all_day else datetime.timedelta(minutes=45)
        return moment + span > least and moment < most

    def bound(self, series, moment):
        """A bound of a window. Days begin at midnight in the calendar's zone, and are UTC's here."""
        if series.all_day:
            moment = moment.replace(tzinfo=ZoneInfo("Europe/Lisbon"))
        return moment.isoformat()

    def own(self, series, moment):
        return moment.astimezone(ZoneInfo("Europe/Lisbon")).replace(tzinfo=UTC) if series.all_day else moment


if __name__ == "__main__":
    unittest.main()
