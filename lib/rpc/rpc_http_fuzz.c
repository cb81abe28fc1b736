/* What a client may send as the body of a call over HTTP, against a service that reads at once, late, or not.
 *
 * The first byte: bits 0 and 1 the form (gRPC, gRPC-Web, its text; by HTTP/1.1 when both are set), bit 2 a method of
 * one message, bit 3 the handler reads late, bit 4 the exit is full until the end, bit 5 the client leaves before its
 * end, bits 6 and 7 the size of the pieces. The rest is the body.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/rpc/rpc_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Peer {
  bool responded, ended, full, late;
  size_t given, took;
  Buf told; /* messages, each with a prefix */
  RpcCall *call;
} Peer;

static void must(bool holds) {
  if (!holds)
    abort();
}

static void respond(void *arg, int status, const RpcMetadata *fields, size_t n, bool ended) {
  Peer *p = arg;
  must(!p->responded && status >= 200);
  p->responded = true;
  p->ended = ended;
}

static void write_body(void *arg, const void *data, size_t len) {
  const Peer *p = arg;
  must(p->responded && !p->ended);
}

static void finish(void *arg, const RpcMetadata *trailers, size_t n) {
  Peer *p = arg;
  must(p->responded && !p->ended);
  p->ended = true;
}

static bool is_full(void *arg) {
  return ((Peer *)arg)->full;
}

static void took(void *arg, size_t len) {
  Peer *p = arg;
  p->took += len;
  must(p->took <= p->given);
}

static const RpcHttpExit OUT = {respond, write_body, finish, is_full, took};

static void tell(Peer *p, const uint8_t *data, size_t len) {
  const uint8_t prefix[] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
  must(buf_append(&p->told, prefix, sizeof prefix) == 0 && buf_append(&p->told, data, len) == 0);
}

static void on_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  Peer *p = arg;
  if (!data) {
    p->call = NULL;
    rpc_call_finish(call, NULL);
    return;
  }
  tell(p, data, len);
  rpc_call_write(call, data, len, NULL, NULL);
  rpc_call_read(call, on_message, p);
}

static void on_cancel(RpcCall *call, void *arg) {
  ((Peer *)arg)->call = NULL;
  rpc_call_finish(call, NULL);
}

static void serve_stream(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Peer *p = service;
  p->call = call;
  rpc_call_on_cancel(call, on_cancel, p);
  if (!p->late)
    rpc_call_read(call, on_message, p);
}

static void serve_one(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  tell(service, data, len);
  rpc_call_reply(call, data, len);
}

static const RpcMethod METHODS[] = {{"/f.S/Stream", RPC_STREAM, serve_stream}, {"/f.S/One", RPC_UNARY, serve_one}};

static void stop(void *arg) {
  loop_stop(arg);
}

static void turn(Loop *loop) {
  LoopTimer *timer = loop_timer_new(loop, stop, loop);
  loop_timer_start(timer, 0);
  loop_run(loop);
  loop_timer_free(timer);
}

static void send_body(RpcHttpCall *call, Peer *p, const uint8_t *data, size_t size, size_t piece) {
  for (size_t at = 0; at < size; at += piece) {
    size_t n = size - at < piece ? size - at : piece;
    p->given += n;
    rpc_http_body(call, data + at, n);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const TYPES[] = {"application/grpc", "application/grpc-web", "application/grpc-web-text",
                                      "application/grpc-web-text"};
  static const size_t PIECES[] = {1, 3, 7, 4096};
  if (size == 0)
    return 0;
  uint8_t how = *data++;
  size--;
  Peer p = {.late = how & 8, .full = how & 16};
  _Atomic(size_t) n_calls = 0, n_held = 0;
  const RpcServerConfig config = {.methods = METHODS,
                                  .n_methods = ARRAY_LEN(METHODS),
                                  .service = &p,
                                  .max_message_bytes = 1000,
                                  .n_calls = &n_calls,
                                  .n_held = &n_held};
  Error err;
  Loop *loop = loop_new();
  RpcHttp *http = rpc_http_new(loop, &config, "", &err);
  must(http);
  const RpcMetadata type = {"content-type", TYPES[how & 3]};
  const RpcHttpRequest request = {.method = "POST",
                                  .path = how & 4 ? "/f.S/One" : "/f.S/Stream",
                                  .fields = &type,
                                  .n_fields = 1,
                                  .peer = "-",
                                  .is_http2 = (how & 3) != 3};
  RpcHttpCall *call = rpc_http_begin(http, &request, &OUT, &p);
  send_body(call, &p, data, size, PIECES[how >> 6]);
  if (!(how & 32))
    rpc_http_end(call);
  turn(loop);
  if (p.late && p.call)
    rpc_call_read(p.call, on_message, &p);
  turn(loop);
  p.full = false;
  rpc_http_drained(call);
  must((how & 32) || p.ended);
  rpc_http_close(call, p.ended);
  /* what was told is what came, from its beginning */
  if ((how & 3) < 2)
    must(p.told.len <= size && (p.told.len == 0 || memcmp(p.told.data, data, p.told.len) == 0));
  must(n_calls == 0 && n_held == 0);
  buf_deinit(&p.told);
  rpc_http_free(http);
  loop_free(loop);
  return 0;
}
