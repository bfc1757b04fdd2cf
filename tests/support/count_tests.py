"""Counts the test cases of a Bazel run.

    count_tests.py EVENTS EXIT_CODE

EVENTS is what --build_event_json_file wrote, EXIT_CODE Bazel's. Prints
"PASSED FAILED", and on stderr the cases that failed, with what they say. A test
program without a report of its own counts as one case, one that was interrupted
not at all; a build that failed is one failure more, so that it can't go unseen.
Of a test that was tried again its last attempt counts; one that passed then is
named on stderr. What a sanitizer has found in any attempt is a failure: a busy
machine is no reason for it.
"""

import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree

# Of one failure: values can be megabytes.
MESSAGE_CHARACTERS = 2000

PASSED = ("PASSED", "FLAKY")
INTERRUPTED = ("INCOMPLETE", "NO_STATUS")

SANITIZER = re.compile(
    rb"(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|: runtime error: ")


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


def last_attempts(events):
    """The last result of each test that has one, and those of earlier attempts."""
    last, earlier = {}, []
    for line in events:
        event = json.loads(line)
        result = event.get("testResult")
        if result is None or result.get("status") in INTERRUPTED:
            continue
        name = event["id"]["testResult"]
        test = (name["label"], name.get("run"), name.get("shard"))
        if test in last:
            earlier.append((test, last[test]))
        last[test] = result
    return last, earlier


def output(result, name):
    """The path of one of its files, or an empty one."""
    return next((urllib.parse.unquote(o["uri"])[len("file://"):]
                 for o in result.get("testActionOutput", [])
                 if o["name"] == name), "")


def count(result):
    return cases(output(result, "test.xml"), result.get("status") in PASSED)


def report(result):
    """What a sanitizer says in its log, or nothing."""
    try:
        with open(output(result, "test.log"), "rb") as log:
            text = log.read()
    except OSError:
        return ""
    found = SANITIZER.search(text)
    return text[found.start():][:MESSAGE_CHARACTERS].decode(
        errors="replace") if found else ""


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as events:
        last, earlier = last_attempts(events)
    for test, result in earlier:
        if last[test].get("status") in PASSED:
            print("FLAKY  ", test[0], "failed first:", file=sys.stderr)
            count(result)
            found = report(result)
            if found:
                print("FAILED ", test[0], "passed later, but:", file=sys.stderr)
                print(found, file=sys.stderr)
                failed += 1
    for result in last.values():
        good, bad = count(result)
        passed += good
        failed += bad
    if int(sys.argv[2]) != 0 and failed == 0:
        failed = 1
    print(passed, failed)


main()
