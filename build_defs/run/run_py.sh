#!/bin/sh
# run_py.sh FILE.py: the pinned interpreter with its own standard library.
# Without PYTHONHOME it would quietly take the machine's.
PYTHONHOME=$(cd ../python/root/usr && pwd) PYTHONNOUSERSITE=1 exec ../python/bin/python3 -P -B "$@"
