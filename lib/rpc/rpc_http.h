/* gRPC calls that come as requests of HTTP, by connections that are somebody else's: gRPC over HTTP/2, and gRPC-Web
 * over any version. Handlers are told of them as of those of an RpcServer (rpc_server.h); health, reflection, limits
 * and draining are the same.
 *
 * A request's body goes in, and its answer leaves by an RpcHttpExit. What a handler does not read waits here, and does
 * not count as taken: so a peer sends no more than its window. One thread, the loop's; each loop has a handler of its
 * own.
 */
#ifndef SANDPLANE_LIB_RPC_RPC_HTTP_H_
#define SANDPLANE_LIB_RPC_RPC_HTTP_H_

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"

typedef struct RpcHttp RpcHttp;
/* A request that was taken, until it is closed. */
typedef struct RpcHttpCall RpcHttpCall;

/* Valid during the call it is handed to. */
typedef struct RpcHttpRequest {
  const char *method;
  const char *path;
  const RpcMetadata *fields; /* names in small letters */
  size_t n_fields;
  const char *peer; /* "ipv4:127.0.0.1:1234" */
  bool is_http2;    /* what is not has no trailers, so gRPC-Web alone */
} RpcHttpRequest;

/* How the answer leaves. None of it calls back from inside. */
typedef struct RpcHttpExit {
  /* Once. ended: nothing follows. */
  void (*respond)(void *arg, int status, const RpcMetadata *fields, size_t n_fields, bool ended);
  void (*write)(void *arg, const void *data, size_t len);
  /* Of the answer; n may be 0. */
  void (*finish)(void *arg, const RpcMetadata *trailers, size_t n);
  /* More should not be written before rpc_http_drained. */
  bool (*is_full)(void *arg);
  /* So many bytes of the body are done with. */
  void (*took)(void *arg, size_t len);
} RpcHttpExit;

/* config: as for rpc_server_new, without its address; its tables must outlive it. web_origins: those of browsers'
 * pages that may call, "https://a.example,http://b:3000", or "*" for all; empty: none. NULL and err: the descriptors
 * cannot be parsed. */
RpcHttp *rpc_http_new(Loop *loop, const RpcServerConfig *config, const char *web_origins, Error *err);
/* After done has run, or before a drain with no call left. NULL-safe. */
void rpc_http_free(RpcHttp *http);
void rpc_http_set_serving(RpcHttp *http, bool serving);
/* Health is NOT_SERVING at once, and its watchers end. What comes is served on, for connections end in order by
 * themselves (GOAWAY). After grace_ms what is left ends with UNAVAILABLE in words: its handlers are told as if the
 * clients had gone, and so ends what still comes. done runs on the loop when no call is left, or half a second after
 * that. A second call only sets another grace. */
void rpc_http_drain(RpcHttp *http, int64_t grace_ms, void (*done)(void *arg), void *arg);

/* Whether a request is for this: by its content type, or because it names a method of the table. */
bool rpc_http_takes(const RpcHttp *http, const RpcHttpRequest *request);
/* Answers at once, or hands the call to a method. Never NULL: rpc_http_close ends it. */
RpcHttpCall *rpc_http_begin(RpcHttp *http, const RpcHttpRequest *request, const RpcHttpExit *out, void *arg);
void rpc_http_body(RpcHttpCall *call, const uint8_t *data, size_t len);
/* The request is complete. */
void rpc_http_end(RpcHttpCall *call);
/* The exit that was full is no longer. */
void rpc_http_drained(RpcHttpCall *call);
/* The exit is gone, and the caller has done with the call. answered: its end has left. */
void rpc_http_close(RpcHttpCall *call, bool answered);

#endif
