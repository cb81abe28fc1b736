"""The runtime's HTTP from outside."""

import json
import os
import socket
import sys
import unittest

sys.path.insert(0, "runtime")
from runtime_case import RuntimeCase, alive, until


class HttpTest(RuntimeCase):
    def test_execute(self):
        ok = {"stdout": "a b\n", "stderr": "", "exit_code": 0}
        self.assertEqual(self.execute("echo 'a b'"), ok)
        self.assertEqual(self.execute("sh -c 'kill -9 $$'")["exit_code"], -9)
        for line, why in (
            ("echo 'a", "No closing quotation"),
            ("no-such", "[Errno 2] No such file or directory: 'no-such'"),
            ("/etc/passwd", "[Errno 13] Permission denied: '/etc/passwd'"),
            ("echo a\0b", "embedded null byte"),
            ("sh -c 'echo " + "a" * 200_000 + "'", "[Errno 7] Argument list too long: 'sh'"),
            ("a " * 1_100_000, "[Errno 7] Argument list too long"),
        ):
            with self.subTest(line[:40]):
                self.assertEqual(
                    self.execute(line), {"stdout": "", "stderr": f"Failed to execute command: {why}", "exit_code": 1}
                )

    def test_a_time_limit_keeps_what_was_printed(self):
        script = "sh -c 'printf partial; printf oops >&2; exec sleep 30'"
        why = "Failed to execute command: Command '['sh', '-c', 'printf partial; printf oops >&2; exec sleep 30']' timed out"
        for more, time in (({}, "2"), ({"timeout_seconds": 1.5}, "1.5"), ({"timeout_seconds": None}, "2")):
            self.assertEqual(
                self.execute(script, **more),
                {
                    "stdout": "partial",
                    "stderr": f"{why} after {time} seconds\noops",
                    "exit_code": 1,
                    "timed_out": True,
                },
            )
        # more than the runtime's own
        self.assertEqual(self.execute("sh -c 'sleep 3; echo done'", timeout_seconds=60)["stdout"], "done\n")

    def test_output_of_any_size_is_whole(self):
        n = 5_000_000
        both = "import sys; w = lambda f, c, n: f.write(c * n); "
        for line, want in (
            (f"head -c {n} /dev/zero", ("\0" * n, "", 0)),
            (f"python3 -c '{both}w(sys.stdout, \"a\", {n}); sys.exit(3)'", ("a" * n, "", 3)),
            (f'python3 -c \'{both}w(sys.stderr, "e", {n}); w(sys.stdout, "o", 9)\'', ("o" * 9, "e" * n, 0)),
            (
                f'python3 -c \'{both}w(sys.stdout, "o", {n}); sys.stdout.flush(); w(sys.stderr, "e", {n})\'',
                ("o" * n, "e" * n, 0),
            ),
        ):
            got = self.execute(line, timeout_seconds=100)
            self.assertEqual((got["stdout"], got["stderr"], got["exit_code"]), want, line)

    def test_a_client_of_http_1_0_has_the_end_for_a_length(self):
        body = b'{"command": "head -c 3000000 /dev/zero", "timeout_seconds": 100}'
        s = self.http_socket()
        s.sendall(b"POST /execute HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        status, answer = self.reply(s.makefile("rb"))
        self.assertEqual((status, len(json.loads(answer)["stdout"])), (200, 3_000_000))

    def test_output_that_is_no_text(self):
        for out, text, why in (
            (r"ok \303\050", "ok \ufffd(", "byte 0xc3 in position 3: invalid continuation byte"),
            (r"\377", "\ufffd", "byte 0xff in position 0: invalid start byte"),
            (r"a\342\202", "a\ufffd", "bytes in position 1-2: unexpected end of data"),
        ):
            got = self.execute(f"printf '{out}'")
            self.assertEqual((got["stdout"], got["exit_code"]), (text, 1))
            self.assertEqual(got["stderr"], f"Failed to execute command: 'utf-8' codec can't decode {why}")

    def test_bodies_as_python_reads_them(self):
        line = b'{"command":"echo hi"}'
        for body in (
            b"\xef\xbb\xbf" + line,
            line.decode().encode("utf-16"),
            line.decode().encode("utf-32-be"),
            b' \r\n\t{ "command" : "echo hi" , "a":[NaN,-Infinity,1e999,%s,{"command":"no"}],"b":"\\ud800"} \n'
            % (b"9" * 400),
            b'{"command":"no","command":"echo hi"}',
            b'{"more":"%s","command":"\\u0065cho hi"}' % (b"x" * 8_000_000),
        ):
            with self.subTest(body[:40]):
                status, answer = self.ask("POST", "/execute", body)
                self.assertEqual((status, json.loads(answer)["stdout"]), (200, "hi\n"))
        for body, kind in (
            (b"", "missing"),
            (b"null", "missing"),
            (b"{}", "missing"),
            (b"[]", "model_attributes_type"),
            (b"5", "model_attributes_type"),
            (b'{"command":5}', "string_type"),
            (b'{"command":"\\ud800"}', "string_unicode"),
            (b'{"command":"a",}', "json_invalid"),
            (b'{"command":"a"} x', "json_invalid"),
            (b'{"command":"a\n"}', "json_invalid"),
            (b'{"command":"a","timeout_seconds":0}', "greater_than"),
            (b'{"command":"a","timeout_seconds":NaN}', "finite_number"),
            (b'{"command":"a","timeout_seconds":[]}', "float_type"),
            (b'{"command":"a","timeout_seconds":"soon"}', "float_parsing"),
        ):
            with self.subTest(body):
                status, answer = self.ask("POST", "/execute", body)
                self.assertEqual((status, json.loads(answer)["detail"][0]["type"]), (422, kind))
        for body in (b'{"command":"\xff"}', b"[" * 2000):
            self.assertEqual(self.ask("POST", "/execute", body)[0], 400)

    def test_who_leaves_ends_what_it_started(self):
        for leave in ("close", "shutdown", "close with more behind"):
            with self.subTest(leave):
                body = json.dumps(
                    {"command": "sh -c 'echo $$ >pid; exec sleep 1000'", "timeout_seconds": 1000}
                ).encode()
                s = self.http_socket()
                s.sendall(b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                pid = until(lambda: int(self.get("pid")), what="it runs")
                if "behind" in leave:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
                if leave == "shutdown":
                    s.shutdown(socket.SHUT_WR)
                else:
                    s.close()
                until(lambda pid=pid: not alive(pid), what="it is gone")
                os.unlink(f"{self.home}/pid")

    def test_execute_names_a_program_too_long_to_be_told_whole(self):
        for lead in ("/", "/a", "/ab"):
            self.assertEqual(self.execute(lead + "\u20ac" * 3000)["exit_code"], 1)

    def test_files(self):
        self.assertEqual(self.upload("d/f", b"data")[0], 200)
        self.assertEqual(self.ask("GET", "/download/d%252Ff"), (200, b"data"))
        self.assertEqual(self.ask("GET", "/download/none"), (404, b'{"message":"File not found"}'))
        self.assertEqual(self.upload("../f", b"")[0], 403)
        self.assertEqual(self.ask("GET", "/exists/%2e%2e/x"), (403, b'{"message":"Access denied"}'))
        self.assertEqual(self.ask("GET", "/exists/d/f/below"), (200, b'{"path":"d/f/below","exists":false}'))
        self.assertEqual(json.loads(self.ask("GET", "/list/")[1])[0]["name"], "d")
        self.assertEqual(self.ask("GET", "/list/d/f"), (404, b'{"message":"Path is not a directory"}'))

    def listed(self, path):
        status, body = self.ask("GET", "/list/" + path)
        self.assertEqual(status, 200, body)
        return {e["name"]: e["type"] for e in json.loads(body)}

    def test_lists_have_all_there_is(self):
        self.assertEqual(self.listed(""), {})
        os.mkdir(f"{self.home}/d")
        for name in ("good", "dangling", "loop"):
            os.symlink({"good": "../d", "dangling": "nowhere", "loop": "loop"}[name], f"{self.home}/d/{name}")
        open(os.fsencode(self.home) + b'/d/"bad"\xff', "w").close()
        self.assertEqual(
            self.listed("d"), {"good": "directory", "dangling": "file", "loop": "file", '"bad"\ufffd': "file"}
        )
        os.mkdir(f"{self.home}/many")
        for i in range(25_000):
            os.symlink("x", f"{self.home}/many/{i:0100}")
        self.assertEqual(len(self.listed("many")), 25_000)

    def test_uploads_keep_the_file_that_is_there(self):
        path = f"{self.home}/f"
        self.put("f", "")
        os.chmod(path, 0o600)
        os.link(path, f"{self.home}/other name")
        before = os.stat(path)
        for data in (b"longer", b"x"):
            self.assertEqual(self.upload("f", data)[0], 200)
            after = os.stat(path)
            self.assertEqual((after.st_ino, after.st_mode, after.st_nlink), (before.st_ino, before.st_mode, 2))
            self.assertEqual(self.get("other name"), data)
        self.assertEqual(self.upload("new", b"")[0], 200)
        self.assertEqual(os.stat(f"{self.home}/new").st_mode & 0o777, 0o644)
        self.assertEqual(sorted(os.listdir(self.home)), ["f", "new", "other name"])

    def form(self, disposition, data=b"x", boundary="b"):
        head = b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n" % (boundary.encode(), disposition)
        return self.ask(
            "POST",
            "/upload",
            head + data + b"\r\n--%s--\r\n" % boundary.encode(),
            f'multipart/form-data; charset=utf-8; boundary="{boundary}"',
        )

    def test_forms_as_clients_write_them(self):
        for disposition, name in (
            (b"name=\"file\"; filename*=utf-8''%D1%84.txt", "\u0444.txt"),
            (b'name="file"; filename="a_.txt"; filename*=UTF-8\'\'a%C3%AF.txt', "a\u00ef.txt"),
            (b"filename*=iso-8859-1'en'%E9; name=file", "\u00e9"),
            (b'name="file"; filename="x; name=other.txt"', "x; name=other.txt"),
            (b'name="file"; filename="report.txt "', "report.txt "),
            (b'name="file"; filename="a\\"b;c.txt"', 'a"b;c.txt'),
            (b'name="file"; filename="100%.txt"', "100%.txt"),
            (b'name="file"; filename="\xe9"', "\u00e9"),
            (b'name="file"; filename="C:\\dir\\f.txt"', "f.txt"),
        ):
            with self.subTest(disposition):
                self.assertEqual(self.form(disposition)[0], 200)
                self.assertEqual(os.listdir(self.home), [name])
                os.unlink(f"{self.home}/{name}")
        boundary = "'()+_,-./:=?" + "z" * 58
        data = (
            b"\r\n--" + boundary[:-1].encode() + b"\r\n--" + boundary.encode() + b"X\r\n--" + boundary.encode() + b"-"
        )
        self.assertEqual(self.form(b'name="file"; filename="f"', data, boundary)[0], 200)
        self.assertEqual(self.get("f"), data)
        self.assertIn(b"no filename", self.form(b'name="file"')[1])

    def test_pipelined_requests_are_answered_in_order(self):
        body = json.dumps({"command": "sh -c 'sleep 0.1; echo one'"}).encode()
        s = self.http_socket()
        s.sendall(
            b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
            + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        f = s.makefile("rb")
        self.assertIn(b'"stdout":"one\\n"', self.reply(f)[1])
        self.assertEqual([self.reply(f)[0], self.reply(f)[0], f.read()], [404, 200, b""])

    def test_who_does_not_read_is_not_read(self):
        s = self.http_socket()
        s.settimeout(1)
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 256 << 20:
                sent += s.send(request)

    def test_who_sends_no_more_has_the_rest_of_its_answer(self):
        s = socket.socket()
        self.addCleanup(s.close)
        s.settimeout(60)
        # so that sockets hold little of it: a small window, and a sender's buffer that is counted in small segments
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        s.connect(("127.0.0.1", self.port))
        body = json.dumps({"command": "cat big"}).encode()
        self.put("big", "x" * 240000)
        s.sendall(b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        # a small answer is sent whole, so the first byte says that it is made
        s.recv(1, socket.MSG_PEEK)
        s.shutdown(socket.SHUT_WR)
        # answered one after the other by the thread that is to see this end: it has
        for _ in range(2):
            self.assertEqual(self.ask("GET", "/")[0], 200)
        status, answer = self.reply(s.makefile("rb"))
        self.assertEqual((status, len(json.loads(answer)["stdout"])), (200, 240000))


if __name__ == "__main__":
    unittest.main()
