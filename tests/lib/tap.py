"""Tests in Python that speak TAP: functions whose name begins with test_, run in the order of the file."""

import signal
import sys
import time
import traceback

CASE_SECONDS = 60  # unless a test says otherwise: test.seconds = n


class Timeout(Exception):
    """A case took longer than it may."""


class Skip(Exception):
    """The case cannot run here; the text says why. tests/skips must name it."""


def _alarm(_number, _frame):
    raise Timeout


def main(module, context=None):
    """Run the tests of a module (by its name); context: called once, a context manager whose value each test gets.

    The exit code is 0 if all passed. Words on the command line pick the tests whose name contains one of them.
    """
    scope = vars(sys.modules[module])
    cases = [(n, f) for n, f in scope.items() if n.startswith("test_") and callable(f)]
    words = [w for w in sys.argv[1:] if not w.startswith("-")]
    if words:
        cases = [(n, f) for n, f in cases if any(w in n for w in words)]
    print(f"1..{len(cases)}", flush=True)
    signal.signal(signal.SIGALRM, _alarm)
    manager = context() if context else None
    try:
        args = (manager.__enter__(),) if manager else ()
        failed = sum(not _case(i, name, case, args) for i, (name, case) in enumerate(cases, 1))
    finally:
        if manager:
            manager.__exit__(None, None, None)
    sys.exit(1 if failed else 0)


def _explain(args):
    """What the context knows about a failure: its explain(), if it has one."""
    try:
        return args[0].explain() if args and hasattr(args[0], "explain") else ""
    except Exception as e:
        return f"explain: {e}"


def _case(number, name, case, args):
    started = time.monotonic()
    seconds = getattr(case, "seconds", CASE_SECONDS)
    label = f"{number} - {name[5:]}"
    try:
        signal.alarm(seconds)
        case(*args)
        signal.alarm(0)
    except Skip as e:
        signal.alarm(0)
        print(f"ok {label} # SKIP {e}", flush=True)
        return True
    except BaseException as e:
        signal.alarm(0)
        if isinstance(e, (KeyboardInterrupt, SystemExit)):
            raise
        print(f"not ok {label}")
        text = f"took longer than {seconds} s" if isinstance(e, Timeout) else ""
        text += "\n" + traceback.format_exc() + _explain(args)
        for line in text.strip().splitlines():
            print(f"# {line}")
        sys.stdout.flush()
        return False
    print(f"ok {label} # {time.monotonic() - started:.1f} s", flush=True)
    return True
