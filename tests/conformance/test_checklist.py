"""The checklist itself: no behaviour is without its check."""

import unittest

import checklist


class Checklist(unittest.TestCase):
    def test_every_behaviour_has_a_check_of_its_own(self):
        found = checklist.python_checks()
        self.assertEqual([wanted for wanted in checklist.wanted() if wanted not in found], [])

    def test_every_check_that_names_a_line_names_a_behaviour_of_it(self):
        named = set(checklist.python_checks()) | set(checklist.node_checks())
        self.assertEqual(sorted(named - set(checklist.wanted())), [])

    def test_node_repeats_forty(self):
        self.assertGreaterEqual(len(checklist.node_checks()), 40)
