/* See process_input.h. */
#include "runtime/process/process_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/process/terminal_keys.h"

void process_input_init(ProcessInput *in, Loop *loop, int fd, bool terminal, pid_t pid, void (*drained)(void *arg),
                        void *arg) {
  *in = (ProcessInput){.loop = loop,
                       .fd = fd,
                       .terminal = terminal,
                       .keys = terminal && terminal_keys_needed(),
                       .at_line = true,
                       .pid = pid,
                       .buf = BUF_INIT(0),
                       .drained = drained,
                       .arg = arg};
  if (!terminal && fd >= 0)
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void process_input_close(ProcessInput *in) {
  loop_fd_free(in->watch);
  in->watch = NULL;
  /* a terminal's one descriptor belongs to its output */
  if (in->fd >= 0 && !in->terminal)
    close(in->fd);
  in->fd = -1;
  buf_deinit(&in->buf);
}

/* The key that ends a terminal's input in its settings of now. In the midst of a line it only hands that on, so then it
 * is pressed twice. */
static void type_end(int terminal, bool at_line) {
  struct termios settings;
  uint8_t keys[2] = {4, 4};
  bool lines = tcgetattr(terminal, &settings) == 0 && settings.c_lflag & ICANON;
  if (lines && settings.c_cc[VEOF])
    keys[0] = keys[1] = settings.c_cc[VEOF];
  if (write(terminal, keys, lines && !at_line ? 2 : 1) < 0)
    errno = 0;
}

static void end(ProcessInput *in) {
  if (in->terminal && in->fd >= 0)
    type_end(in->fd, in->at_line);
  process_input_close(in);
}

static void on_writable(int events, void *arg);

static void flush(ProcessInput *in) {
  while (in->buf.len > 0) {
    ssize_t n = write(in->fd, in->buf.data, in->buf.len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0)
      return process_input_close(in); /* EPIPE: it reads no more, which is its right */
    buf_consume(&in->buf, (size_t)n);
  }
  if (in->buf.len == 0 && in->closing)
    return end(in);
  if (in->buf.len > 0 && !in->watch)
    in->watch = loop_fd_new(in->loop, in->fd, LOOP_WRITE, on_writable, in);
  if (in->buf.len == 0) {
    loop_fd_free(in->watch);
    in->watch = NULL;
  }
}

static void on_writable(int events, void *arg) {
  ProcessInput *in = arg;
  flush(in);
  if (in->buf.len == 0)
    in->drained(in->arg);
}

/* Sends what comes before the first key that is a signal, and the signal. Returns how much that was. */
static size_t write_key(ProcessInput *in, const uint8_t *data, size_t len) {
  int signo = 0;
  size_t at = terminal_keys_find(in->fd, data, len, &signo);
  if (at == len)
    return 0;
  if (buf_append(&in->buf, data, at))
    abort();
  if (!in->watch)
    flush(in);
  if (in->fd >= 0)
    terminal_keys_send(in->fd, in->pid, signo);
  return at + 1;
}

void process_input_write(ProcessInput *in, const uint8_t *data, size_t len) {
  for (size_t n; in->keys && in->fd >= 0 && (n = write_key(in, data, len)); len -= n)
    data += n;
  if (in->fd < 0 || in->closing || len == 0)
    return;
  in->at_line = data[len - 1] == '\n' || data[len - 1] == '\r';
  if (buf_append(&in->buf, data, len))
    abort(); /* callers stop at a few MiB, see process_stdin_pending */
  if (!in->watch)
    flush(in);
}

void process_input_end(ProcessInput *in) {
  if (in->fd < 0)
    return;
  in->closing = true;
  if (in->buf.len == 0)
    end(in);
}
