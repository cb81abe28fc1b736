#!/bin/sh
# run_py.sh FILE.py: the pinned interpreter with its own standard library, and protobuf's messages in Python alone.
# Without PYTHONHOME it would quietly take the machine's, without the other the machine's libprotobuf where there is one.
export PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python
PYTHONHOME=$(cd ../python/root/usr && pwd) PYTHONNOUSERSITE=1 exec ../python/bin/python3 -P -B "$@"
