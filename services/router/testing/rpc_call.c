/* One gRPC call on bytes, for tests without a gRPC library:
 *   rpc_call ADDRESS PATH TIMEOUT_MS [KEY=VALUE...]
 * with that metadata. stdin: messages, each behind its length as four bytes, big endian; its end is the half-close.
 * stdout: the answer's messages in the same form, then a length of ffffffff and one line "CODE field retry_ms message".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/loop/loop.h"
#include "lib/rpc/rpc_client.h"

typedef struct Call {
  Loop *loop;
  RpcClientCall *call;
  LoopFd *input;
  Buf in;
} Call;

static void put(const void *data, size_t len) {
  if (fwrite(data, 1, len, stdout) != len)
    exit(3);
}

static void put_length(uint32_t n) {
  uint8_t head[4] = {n >> 24, n >> 16, n >> 8, n};
  put(head, sizeof head);
}

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  put_length((uint32_t)len);
  put(data, len);
  fflush(stdout);
  rpc_client_read(call);
}

static void on_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len) {
  Call *c = arg;
  put_length(UINT32_MAX);
  printf("%s %s %u %s\n", error_kind_name(status->kind), *status->field ? status->field : "-", status->retry_after_ms,
         status->message);
  c->call = NULL;
  loop_stop(c->loop);
}

static void on_input(int events, void *arg) {
  Call *c = arg;
  uint8_t *to = buf_reserve(&c->in, 65536);
  ssize_t n = to ? read(STDIN_FILENO, to, 65536) : -1;
  if (n < 0 || !c->call)
    exit(3);
  c->in.len += (size_t)n;
  size_t at = 0;
  while (c->in.len - at >= 4) {
    const uint8_t *p = c->in.data + at;
    size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (c->in.len - at - 4 < len)
      break;
    rpc_client_write(c->call, p + 4, len);
    at += 4 + len;
  }
  buf_consume(&c->in, at);
  if (n > 0)
    return;
  rpc_client_half_close(c->call);
  loop_fd_free(c->input);
  c->input = NULL;
}

int main(int argc, char **argv) {
  int64_t timeout_ms;
  enum { MAX = 8 };
  if (argc < 4 || argc >= 4 + MAX || str_to_int64(argv[3], 0, INT64_MAX, &timeout_ms) != 0)
    return 2;
  static const RpcClientHandlers HANDLERS = {.on_message = on_message, .on_done = on_done};
  Call c = {.loop = loop_new()};
  RpcChannel *channel = rpc_channel_new(c.loop, argv[1]);
  RpcMetadata metadata[MAX] = {{"x-request-id", "test"}};
  size_t n = 1;
  for (char **at = argv + 4; *at; at++) {
    char *equals = strchr(*at, '=');
    if (!equals)
      return 2;
    *equals = 0;
    metadata[n++] = (RpcMetadata){*at, equals + 1};
  }
  c.call = rpc_client_call(channel, argv[2], timeout_ms ? timeout_ms : INT64_MAX, true, metadata, n, &HANDLERS, &c);
  rpc_client_read(c.call);
  c.input = loop_fd_new(c.loop, STDIN_FILENO, LOOP_READ, on_input, &c);
  loop_run(c.loop);
  loop_fd_free(c.input);
  rpc_channel_free(channel);
  buf_deinit(&c.in);
  loop_free(c.loop);
  return 0;
}
