"""Counts the test cases of a Bazel run.

    count_tests.py EVENTS EXIT_CODE

EVENTS is what --build_event_json_file wrote, EXIT_CODE Bazel's. Prints
"PASSED FAILED", and on stderr the cases that failed, with what they say. A test
program without a report of its own counts as one case; a build that failed is
one failure more, so that it can't go unseen.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree

# Of one failure: values can be megabytes.
MESSAGE_CHARACTERS = 2000


def cases(path, program_passed):
    """(passed, failed) of one test.xml."""
    try:
        suites = xml.etree.ElementTree.parse(path).getroot().iter("testcase")
        ran = [case for case in suites if case.get("status") != "notrun"]
    except (OSError, xml.etree.ElementTree.ParseError):
        ran = []
    bad = [case for case in ran
           if case.find("failure") is not None or case.find("error") is not None]
    for case in bad:
        print("FAILED ", f"{case.get('classname')}.{case.get('name')}",
              file=sys.stderr)
        for failure in case.findall("failure"):
            print((failure.text or "")[:MESSAGE_CHARACTERS], file=sys.stderr)
    if not ran or (not program_passed and not bad):
        return (1, 0) if program_passed else (len(ran), 1)
    return len(ran) - len(bad), len(bad)


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            result = event.get("testResult")
            if result is None:
                continue
            path = next((urllib.parse.unquote(o["uri"])[len("file://"):]
                         for o in result.get("testActionOutput", [])
                         if o["name"] == "test.xml"), "")
            good, bad = cases(path, result.get("status") == "PASSED")
            passed += good
            failed += bad
    if int(sys.argv[2]) != 0 and failed == 0:
        failed = 1
    print(passed, failed)


main()
