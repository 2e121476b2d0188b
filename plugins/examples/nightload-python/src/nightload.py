"""A detector of night load far above that of the peers."""

import math
import statistics

from gridwarden import detector_pb2 as pb
from gridwarden.window import known

NIGHTS = 7  # fewer nights with readings say nothing
NIGHT_HOURS = 5  # 0 to 5 h
MAX_KW = 1e4  # more than a low-voltage supply can carry: a reading beyond it is wrong

SCHEMA = b"""{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "times": {
      "type": "number", "minimum": 1, "default": 3,
      "description": "how many times the peers' 90th percentile of night load is remarkable"
    }
  }
}"""


class NightLoad:
    """Compares each point's median night with the night that nine of ten
    peers stay below, and looks at the raw curve of those far above: a load
    that switches on and off through the night is a thermostat or a charger,
    one that never does is not."""

    def __init__(self):
        self.times = 3.0

    def describe(self):
        return pb.Description(
            name="nightload_python", version="1.0.0", summary="Night load far above that of the peers, judged by a Python program",
            scope="usage_point", features=["night_kw"], quantities=["active_power"], attributes=["peer_p90_night_kw"],
            minimum_quality=pb.QUALITY_UNCERTAIN, lookback_days=60, config_schema=SCHEMA,
        )

    def configure(self, config):
        errors = [(field, "is not a field of this detector; it knows times") for field in sorted(config) if field != "times"]
        times = config.get("times", 3)
        if isinstance(times, bool) or not isinstance(times, (int, float)) or not times >= 1:
            errors.append(("times", "%r is not a number of at least 1; write 3 for three times the peers" % (times,)))
        if not errors:
            self.times = float(times)
        return errors

    def evaluate(self, window, report, cancelled):
        for i, subject in enumerate(window.subjects):
            if cancelled():
                return
            usual = subject.numbers.get("peer_p90_night_kw", math.nan)
            nights = known(window.feature("night_kw", i) or [])
            if len(nights) < NIGHTS or not 0 < usual < math.inf:
                continue  # no data or no peers: this point is not judged
            night = statistics.median(nights)
            if not night <= MAX_KW:  # nor infinities of both signs
                continue
            if night < self.times * usual:
                report.score(subject.id, window.prior / 2)
            elif window.curves is None:
                report.request_curves(subject.id)
            else:
                report.add(self.finding(window, i, night, usual))

    def finding(self, window, i, night, usual):
        """Odds double with each doubling of the load beyond what is
        remarkable, up to eight times, and halve where it cycles."""
        cycling = cycling_share(window.curves[i], window.days)
        log_odds = math.log(4) + min(math.log(8), math.log(night / (self.times * usual)))
        if cycling > 0.3:
            log_odds -= math.log(4)
        finding = pb.Finding(
            subject=window.subjects[i].id, kind="usage_point", reason="night_load",
            probability=at_prior(window.prior, log_odds), excess_kwh_month=(night - usual) * NIGHT_HOURS * 30,
        )
        finding.evidence.add(
            code="night_kw", value=night, unit="kW", log_odds=log_odds,
            text="half of the nights carry %.1f kW or more between 0 and 5 h; nine of ten peers stay below %.1f kW" % (night, usual),
        )
        finding.innocent.add(
            code="thermostat", outcome="open" if cycling > 0.3 else "unlikely",
            text="a thermostat or a charger switches; here the power changed by more than a fifth in %.0f %% of the night's steps" % (100 * cycling),
        )
        return finding


def cycling_share(curve, days):
    """The share of the night's steps in which the power changes by more than
    a fifth of the night's mean; 0 where the curve cannot say."""
    changes = steps = 0
    for d in range(days):
        night = curve.day("active_power", d)
        if night is None:
            return 0.0
        night = night[:NIGHT_HOURS * 3600 // curve.interval_seconds]
        there = known(night)
        if len(there) < 2:
            continue
        mean = math.fsum(there) / len(there)
        for a, b in zip(night, night[1:]):
            if not math.isnan(a) and not math.isnan(b):
                steps += 1
                changes += abs(a - b) > 0.2 * abs(mean)
    return changes / steps if steps else 0.0


def at_prior(prior, log_odds):
    """The probability that evidence of this weight leaves at the base rate."""
    return 1 / (1 + (1 - prior) / prior * math.exp(-log_odds))
