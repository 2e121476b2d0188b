"""Tests of the detector without a host: make test."""

import array
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

from gridwarden import detector_pb2 as pb  # noqa: E402
from gridwarden.serve import configured, judge  # noqa: E402
from gridwarden.window import ContractError, WindowAssembler, bits  # noqa: E402
from nightload import NightLoad  # noqa: E402

DAYS = 10


def column(values):
    return array.array("f", values).tobytes()


def part(loads, curves=None, offset=0, total=None):
    """A window of points with constant night loads, kW, as it travels."""
    p = pb.WindowPart(window_id=1, scope="usage_point", first_day=20000, days=DAYS, prior=0.01,
                      subject_total=len(loads) if total is None else total, subject_offset=offset, has_curves=curves is not None)
    for i in range(len(loads)):
        p.subjects.add(id="u-%d" % (offset + i), kind="usage_point", has_meter=True, numbers={"peer_p90_night_kw": 0.5})
    p.features.add(feature="night_kw", values=column([kw for kw in loads for _ in range(DAYS)]))
    for power in curves or []:
        c = p.curves.add(interval_seconds=3600, start_unix=20000 * 86400, day_start=[24 * d for d in range(DAYS + 1)], good=b"\xff" * (3 * DAYS))
        c.columns.add(quantity="active_power", values=column(power(h) for h in range(24 * DAYS)))
    return p


def judged(*parts):
    assembler = WindowAssembler()
    windows = [assembler.add(p) for p in parts]
    return list(judge(NightLoad(), windows[-1], lambda: False))


class Judging(unittest.TestCase):
    def test_ordinary_points_are_scored(self):
        messages = judged(part([0.2, 0.4]))
        self.assertEqual(list(messages[0].scores.probabilities), [0.005, 0.005])
        self.assertEqual(messages[-1].done.error, "")

    def test_a_point_far_above_is_looked_at_and_found(self):
        self.assertEqual(list(judged(part([4.0]))[0].curve_request.subjects), ["u-0"])
        flat = judged(part([4.0], [lambda h: 4.0]))[0].finding
        cycling = judged(part([4.0], [lambda h: 8.0 * (h % 2)]))[0].finding
        self.assertEqual((flat.reason, flat.first_day, flat.last_day), ("night_load", 20000, 20000 + DAYS - 1))
        self.assertGreater(flat.probability, cycling.probability)
        self.assertEqual([flat.innocent[0].outcome, cycling.innocent[0].outcome], ["unlikely", "open"])

    def test_no_data_is_not_judged(self):
        self.assertEqual(len(judged(part([math.nan]))), 1)
        self.assertEqual(len(judged(part([]))), 1)

    def test_a_mistake_fails_its_window_alone(self):
        class Broken(NightLoad):
            def evaluate(self, window, report, cancelled):
                raise ValueError("no model")
        messages = list(judge(Broken(), WindowAssembler().add(part([1.0])), lambda: False))
        self.assertIn("no model", messages[0].done.error)


class Wire(unittest.TestCase):
    def test_parts_make_a_window(self):
        messages = judged(part([0.2], total=2), part([0.3], offset=1, total=2))
        self.assertEqual(list(messages[0].scores.subjects), ["u-0", "u-1"])

    def test_what_breaks_the_contract(self):
        late = part([0.2], offset=1, total=2)
        short = part([0.2])
        short.features[0].values = b"1234"
        for wrong in (late, short, pb.WindowPart(days=0)):
            with self.assertRaises(ContractError):
                WindowAssembler().add(wrong)

    def test_bits(self):
        self.assertEqual(bits(b"\x05\x01", 9), [True, False, True, False, False, False, False, False, True])


class Configuration(unittest.TestCase):
    def test_fields(self):
        self.assertEqual(configured(NightLoad(), b"{}"), [])
        self.assertEqual([f for f, _ in configured(NightLoad(), b'{"hours": 1, "times": "3"}')], ["hours", "times"])
        self.assertEqual([f for f, _ in configured(NightLoad(), b"[]")], [""])


if __name__ == "__main__":
    unittest.main()
