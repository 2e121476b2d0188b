"""Windows as they come over the wire, reports as they go."""

import array
import math
import sys

from gridwarden import detector_pb2 as pb

SCORES_PER_MESSAGE = 8192
MAX_DAYS = 3660


class ContractError(Exception):
    """The host sent what is not in the contract."""


class Window:
    """What a detector judges. Columns are arrays of float; NaN means that
    there is no value."""

    def __init__(self, part):
        self.id, self.scope, self.prior = part.window_id, part.scope, part.prior
        self.first_day, self.days = part.first_day, part.days  # days since 1970-01-01
        self.subjects = []  # pb.Subject: id, kind, has_meter, numbers, texts, events
        self.temperature = floats(part.temperature, self.days) if part.temperature else None
        self.holiday = bits(part.holiday, self.days) if part.holiday else None
        self.curves = [] if part.has_curves else None  # Curve, one for each subject
        self.features = {c.feature: array.array("f") for c in part.features}

    @property
    def last_day(self):
        return self.first_day + self.days - 1

    def feature(self, name, i):
        """The feature of subject i, one value a day; None where the window
        does not carry it."""
        column = self.features.get(name)
        return None if column is None else column[i * self.days:(i + 1) * self.days]


class Curve:
    """The raw curve of one subject."""

    def __init__(self, message, days):
        self.interval_seconds, self.start = message.interval_seconds, message.start_unix
        self.day_start = list(message.day_start)  # first interval of each day, then the number of intervals
        if self.interval_seconds < 1 or len(self.day_start) != days + 1 or self.day_start[0] != 0:
            raise ContractError("a curve with the starts of %d days where %d are due" % (len(self.day_start) - 1, days))
        n = self.day_start[-1]
        self.columns = {c.quantity: floats(c.values, n) for c in message.columns}
        self.good = bits(message.good, n)

    def day(self, quantity, d):
        """The values of one quantity on day d, None where it is not there."""
        column = self.columns.get(quantity)
        return None if column is None else column[self.day_start[d]:self.day_start[d + 1]]


class WindowAssembler:
    """Puts windows together from their parts."""

    def __init__(self):
        self.window, self.total = None, 0

    def add(self, part):
        """Returns the window that the part completes, else None."""
        if self.window is None:
            if not 1 <= part.days <= MAX_DAYS:
                raise ContractError("a window of %d days" % part.days)
            self.window, self.total = Window(part), part.subject_total
        w = self.window
        if part.window_id != w.id or part.subject_offset != len(w.subjects) or part.days != w.days:
            raise ContractError("a part of window %d at subject %d where subject %d of window %d is due"
                                % (part.window_id, part.subject_offset, len(w.subjects), w.id))
        w.subjects.extend(part.subjects)
        n = len(part.subjects) * w.days
        for column in part.features:
            if column.feature not in w.features:
                raise ContractError("feature %r comes late" % column.feature)
            w.features[column.feature].extend(floats(column.values, n))
        if w.curves is not None:
            w.curves.extend(Curve(c, w.days) for c in part.curves)
        if len(w.subjects) > self.total or (w.curves is not None and len(w.curves) != len(w.subjects)):
            raise ContractError("window %d: %d subjects where %d were announced" % (w.id, len(w.subjects), self.total))
        if len(w.subjects) < self.total:
            return None
        self.window = None
        return w


class Report:
    """Collects what a detector says of one window."""

    def __init__(self, window):
        self._window = window
        self._scores, self._measures, self._findings, self._requests = {}, [], [], []

    def score(self, subject, probability):
        """The calibrated probability of abnormal use at window.prior, of each
        usage point that could be judged."""
        self._scores[subject] = probability

    def add(self, finding):
        """Reports a pb.Finding; days left at 0 become the window's."""
        if finding.first_day == 0 and finding.last_day == 0:
            finding.first_day, finding.last_day = self._window.first_day, self._window.last_day
        for e in finding.evidence:
            if e.first_day == 0 and e.last_day == 0:
                e.first_day, e.last_day = finding.first_day, finding.last_day
        self._findings.append(finding)

    def measure(self, subject, name, value):
        """A measured value that is no finding in itself."""
        self._measures.append((subject, name, value))

    def request_curves(self, *subjects):
        """Asks for raw curves; the host answers with a second window."""
        self._requests.extend(subjects)

    def messages(self):
        subjects = sorted(self._scores)
        for at in range(0, len(subjects), SCORES_PER_MESSAGE):
            chunk = subjects[at:at + SCORES_PER_MESSAGE]
            yield self._message(scores=pb.Scores(subjects=chunk, probabilities=[self._scores[s] for s in chunk]))
        for at in range(0, len(self._measures), SCORES_PER_MESSAGE):
            names, keys, values = zip(*self._measures[at:at + SCORES_PER_MESSAGE])
            yield self._message(measures=pb.Measures(subjects=names, names=keys, values=values))
        for finding in self._findings:
            yield self._message(finding=finding)
        for at in range(0, len(self._requests), SCORES_PER_MESSAGE):
            yield self._message(curve_request=pb.CurveRequest(subjects=self._requests[at:at + SCORES_PER_MESSAGE]))

    def _message(self, **what):
        return pb.EvaluateResponse(window_id=self._window.id, **what)


def floats(data, n):
    """A column of n float32, little endian."""
    if len(data) != 4 * n:
        raise ContractError("%d bytes for %d values of 4 bytes" % (len(data), n))
    out = array.array("f")
    out.frombytes(data)
    if sys.byteorder == "big":
        out.byteswap()
    return out


def bits(data, n):
    """A bitmap of n values."""
    if len(data) != (n + 7) // 8:
        raise ContractError("%d bytes for %d bits" % (len(data), n))
    return [bool(data[i // 8] >> (i % 8) & 1) for i in range(n)]


def known(values):
    """The values that are there."""
    return [v for v in values if not math.isnan(v)]
