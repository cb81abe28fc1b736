"""What a command finds around it, what it may leave behind, and who ends it."""

import ctypes
import os
import platform
import resource
import signal
import sys
import unittest

sys.path.insert(0, "runtime")
from runtime_case import (
    HALF_CLOSE,
    MESSAGE,
    TERMINAL,
    ExecStreamRequest,
    ExecStreamResponse,
    RuntimeCase,
    alive,
    frame,
    stdin,
    until,
)

# writes to what it inherited, far more than pipes hold, and says how far it is
CHATTY = "import os; line = b'x' * 1000\nfor i in range(1 << 30): os.write(1, line); os.write(2, line); open('n', 'w').write(str(i))"


class CommandsTest(RuntimeCase):
    def printed(self, s):
        messages, code = self.answers(s, ExecStreamResponse)
        self.assertEqual(code, 0)
        return b"".join(m.stdout for m in messages).decode()

    # ---- what it leaves behind ----

    def goes_on(self, start):
        self.put("n", "0")
        start(f'python3 -c "{CHATTY}" & echo $! >pid')
        pid = self.get("pid")
        until(lambda: int(self.get("n") or 0) > 2000, 60, "it writes on")
        os.kill(int(pid), signal.SIGKILL)
        until(lambda: not alive(pid), what="the test's own end of it")

    def test_what_is_left_running_writes_on(self):
        self.goes_on(self.sh)

    def test_what_a_stream_leaves_running_writes_on(self):
        self.goes_on(lambda script: self.printed(self.stream("sh", "-c", script)))

    def test_what_a_terminal_leaves_running_writes_on(self):
        self.goes_on(lambda script: self.printed(self.stream("sh", "-c", "trap '' HUP; " + script, terminal=TERMINAL)))

    def test_what_execute_leaves_running_writes_on(self):
        def execute(script):
            self.put("s", script)
            return self.execute("sh s", timeout_seconds=1000)["stdout"]

        self.goes_on(execute)

    # ---- what it finds ----

    def test_standard_input_that_nobody_gives(self):
        line = ("readlink", "/proc/self/fd/0")
        self.assertEqual(self.sh("readlink /proc/self/fd/0"), "/dev/null\n")
        self.assertEqual(self.execute(" ".join(line))["stdout"], "/dev/null\n")
        self.assertEqual(self.printed(self.stream(*line, no_stdin=True)), "/dev/null\n")
        # and one that somebody does
        self.assertIn("pipe:", self.sh("readlink /proc/self/fd/0; cat", stdin=b"given"))
        s = self.stream("cat")
        s.sendall(stdin(b"given") + frame(HALF_CLOSE))
        self.assertEqual(self.printed(s), "given")

    def test_streams_can_be_opened_again_by_name(self):
        messages, _ = self.exec("sh", "-c", "echo out >/dev/stdout; echo err >/proc/self/fd/2")
        self.assertEqual((messages[0].stdout, messages[0].stderr), (b"out\n", b"err\n"))
        self.assertIn("out", self.printed(self.stream("sh", "-c", "echo out >/dev/tty", terminal=TERMINAL)))

    def test_term(self):
        self.assertEqual(self.printed(self.stream("sh", "-c", "echo $TERM", terminal=TERMINAL)), "xterm\r\n")
        self.assertEqual(self.sh("echo ${TERM-none} $HOME $HOSTNAME").split()[0], "none")
        self.assertEqual(len(self.sh("echo $HOME $HOSTNAME").split()), 2)

    # ---- who ends it ----

    def test_who_leaves_ends_the_jobs_of_a_shell(self):
        # such a job is in a group of its own
        s = self.stream("sh", "-c", "set -m; sleep 1000 & echo $! done; wait")
        pid = self.until_output(s, b" done").split()[0]
        self.assertTrue(alive(pid))
        s.close()
        until(lambda: not alive(pid), what="the job is gone")

    def test_who_leaves_a_terminal_hangs_up(self):
        # jobs of an interactive shell: one in the foreground, one behind it, and one that was told to stay
        self.put("stay.sh", "trap '' HUP; echo >ready; exec sleep 1002")
        self.put(
            "front.sh", "trap '' HUP; until [ -e ready ]; do sleep 0.05; done; echo $$ >front; echo up; sleep 1003"
        )
        script = "set -m; sleep 1001 & echo $! >plain; sh stay.sh & echo $! >stays; sh front.sh"
        s = self.stream("bash", "-c", script, terminal=TERMINAL)
        self.until_output(s, b"up")
        plain, stays, front = (self.get(name) for name in ("plain", "stays", "front"))
        s.close()
        until(lambda: not alive(plain) and not alive(front), what="they are gone")
        self.assertTrue(alive(stays))
        os.kill(int(stays), signal.SIGKILL)

    def test_who_leaves_while_its_input_waits(self):
        s = self.stream("sh", "-c", "echo $$ done; exec sleep 1000")
        pid = self.until_output(s, b" done").split()[0]
        s.settimeout(1)
        piece = stdin(b"x" * 100_000)
        with self.assertRaises(TimeoutError):
            for _ in range(100):
                s.sendall(piece)
        s.close()
        until(lambda: not alive(pid), what="the command is gone")

    def test_a_time_limit_ends_the_jobs_of_a_shell(self):
        got = self.execute("sh -c 'set -m; sleep 1000 & echo $!; wait'", timeout_seconds=0.5)
        self.assertTrue(got["timed_out"])
        until(lambda: not alive(got["stdout"]), what="the job is gone")

    def test_a_signal_comes_once(self):
        program = (
            "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *a: os.write(1, b'one\\n'))\n"
            "signal.signal(signal.SIGUSR2, lambda *a: exit())\nprint('go', flush=True)\nwhile True: signal.pause()"
        )
        s = self.stream("python3", "-c", program)
        self.until_output(s, b"go\n")
        out = b""
        for _ in range(20):
            s.sendall(frame(MESSAGE, ExecStreamRequest(signal=signal.SIGUSR1)))
            out += self.until_output(s, b"one\n")
        s.sendall(frame(MESSAGE, ExecStreamRequest(signal=signal.SIGUSR2)))
        self.assertEqual((out + self.printed(s).encode()).count(b"one"), 20)

    def test_the_end_of_input_in_the_midst_of_a_line(self):
        s = self.stream("cat", terminal=TERMINAL)
        s.sendall(stdin(b"abc") + frame(HALF_CLOSE))
        self.assertIn("abcabc", self.printed(s))

    def test_a_program_that_closes_its_terminal_before_it_ends(self):
        """As cat and other programs do that look whether their output was written."""
        os.mkfifo(f"{self.home}/go")
        s = self.stream("sh", "-c", "exec <&- >&- 2>&-; read line <go; exit 5", terminal=TERMINAL)
        with open(f"{self.home}/go", "w") as go:  # it has closed them: it reads here
            for _ in range(3):  # the runtime has seen that
                self.exec("true")
            go.write("on\n")
        messages, code = self.answers(s, ExecStreamResponse)
        self.assertEqual((messages[-1].exit.exit_code, messages[-1].exit.signal, code), (5, 0, 0))

    def test_keys_of_a_terminal(self):
        program = "trap 'echo int' INT; trap 'echo quit; exit 3' QUIT; echo go; while :; do sleep 0.05; done"
        s = self.stream("sh", "-c", program, terminal=TERMINAL)
        self.until_output(s, b"go")
        s.sendall(stdin(b"\x03"))
        self.until_output(s, b"int\r\n")
        s.sendall(stdin(b"\x1c"))
        self.assertIn("quit", self.printed(s))


class OddStartTest(RuntimeCase):
    """The runtime was started by somebody with settings of their own, none of which reaches a command."""

    IGNORED = (
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGPIPE,
        signal.SIGUSR1,
        signal.SIGCHLD,
        signal.SIGTTOU,
    )

    def odd_start(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)

        def change():
            for signo in self.IGNORED:
                signal.signal(signo, signal.SIG_IGN)
            # two that the C library keeps for itself
            libc = ctypes.CDLL(None, use_errno=True)
            ignore = (ctypes.c_ulong * 8)(1)
            for signo in (32, 33):
                libc.syscall(13 if platform.machine() == "x86_64" else 134, signo, ignore, None, 8)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGUSR2])
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, most))
            resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)

        self.most = most
        self.leak = os.open("/etc/passwd", os.O_RDONLY)
        self.addCleanup(os.close, self.leak)
        return {"preexec_fn": change, "umask": 0o077, "pass_fds": [self.leak], "restore_signals": False}

    def test_commands_see_nothing_of_it(self):
        status = dict(line.split(":\t") for line in self.sh("cat /proc/self/status").splitlines())
        self.assertEqual((int(status["SigIgn"], 16), int(status["SigBlk"], 16)), (0, 0))
        self.assertEqual(self.sh("umask; ulimit -n; ulimit -c").split(), ["0022", str(self.most), "0"])
        self.assertEqual(self.sh("for i in 3 4 5 6 7 8 9; do [ ! -e /proc/self/fd/$i ] || echo $i; done"), "")
        self.assertEqual(self.sh(f"[ ! -e /proc/self/fd/{self.leak} ] || echo leaks"), "")

    def test_signals_do_not_end_the_runtime(self):
        for signo in set(signal.valid_signals()) - {
            signal.SIGKILL,
            signal.SIGSTOP,
            # it ends at these where it is not process 1
            signal.SIGTERM,
            signal.SIGINT,
        }:
            self.p.send_signal(signo)
        self.assertEqual(self.sh("echo still here"), "still here\n")


if __name__ == "__main__":
    unittest.main()
