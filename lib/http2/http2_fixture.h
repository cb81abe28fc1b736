/* A session, a server's or a client's, and its peer over a socket pair, on a loop whose time stands still: an nghttp2
 * client for what honest peers do, and raw frames for what they do not. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_FIXTURE_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_FIXTURE_H_

#include <nghttp2/nghttp2.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/http2/http2_client.h"

/* As the server saw it. */
typedef struct Request {
  ListLink link;
  struct Fixture *f;
  Http2Stream *stream; /* NULL: reset by the owner, or closed */
  int32_t id;
  Buf head;     /* "METHOD SCHEME AUTHORITY PATH\nname: value\n..." */
  Buf body;     /* and behind it "|name: value" of trailers */
  size_t shown; /* bytes of the body */
  bool ended;   /* the request is complete */
  int drains;
  int closes;
  uint32_t code;
} Request;

/* As the client saw it. */
typedef struct Answer {
  Buf heads; /* "name: value\n" of all heads and trailers, each with an empty line behind */
  Buf body;
  size_t offered; /* of what is to be sent as the request's body */
  size_t sent;
  bool wait;   /* no end of the request after that */
  bool closed; /* and how */
  uint32_t code;
} Answer;

/* A request of a session that is a client's, as its owner saw the answer. */
typedef struct Ask {
  ListLink link;
  struct Fixture *f;
  Http2Stream *stream; /* NULL: reset by the owner, or closed */
  int status;          /* 0: no head yet */
  Buf head;            /* "name: value\n..." */
  Buf body;            /* and behind it "|name: value" of trailers */
  bool ended;
  int drains;
  int closes;
  uint32_t code;
  bool lost;
} Ask;

enum { FIXTURE_STREAMS = 512 };

typedef struct Fixture {
  Loop *loop;
  LoopTimer *turn;      /* ends one turn of the loop */
  Http2Session *server; /* the session; a client's, if it was begun so */
  int far;
  /* The server's. */
  List requests;
  int n_requests;
  bool answers; /* each with 200 and "ok", once it is complete */
  bool takes;   /* bodies, as they come */
  bool free_inside;
  int refused[HTTP2_N_WHYS];
  int overs;
  Http2Why why;
  List asks;
  int changes;
  /* The client's. */
  nghttp2_session *client;
  Answer answers_of[FIXTURE_STREAMS]; /* by the stream's id / 2 */
  int goaways;
  int32_t last_ids[8];
  uint32_t goaway_codes[8];
  int settings;
  uint32_t max_streams, stream_window, head_bytes, header_table;
  int pings_acked, resets;
  bool deaf;  /* reads nothing */
  bool ended; /* the server closed */
  Buf in;     /* raw: what came and was not looked at */
} Fixture;

/* config NULL: HTTP2_DEFAULTS. */
Fixture *fixture_new(const Http2Config *config);
/* The session is a client's; NULL: HTTP2_CLIENT_DEFAULTS. The peer is a raw one. */
Fixture *fixture_new_client(const Http2Config *config);
void fixture_free(Fixture *f);
/* Both say all they have to say, until nothing moves. */
void fixture_settle(Fixture *f);
void fixture_pass_time(Fixture *f, int64_t ms);
Request *fixture_request(Fixture *f, int32_t id);

/* A POST of the session to "a.test/path". body: what is known of it; NULL: there is none. */
Ask *fixture_ask(Fixture *f, const char *path, const char *body);
/* The peer's: SETTINGS, and an acknowledgement of the session's. max_streams: -1: none said. */
void raw_greet(Fixture *f, int64_t max_streams);
/* An answer's head with this status, and one field unless name is NULL. */
void raw_answer(Fixture *f, int32_t id, uint8_t flags, const char *status, const char *name, const char *value);
/* Trailers of one field. */
void raw_trailer(Fixture *f, int32_t id, const char *name, const char *value);
void raw_rst(Fixture *f, int32_t id, uint32_t code);
void raw_leave(Fixture *f, int32_t last_id, uint32_t code);

/* With a client of nghttp2's own. Settled. */
void client_start(Fixture *f, uint32_t window);
/* id of a request to "https://a.test/path". body: bytes of it; -1: none. */
int32_t client_ask(Fixture *f, const char *method, const char *path, ssize_t body);
Answer *client_answer(Fixture *f, int32_t id);
const char *client_heads(Fixture *f, int32_t id);

/* Without: the preface and an empty SETTINGS. */
void raw_start(Fixture *f);
void raw_send(Fixture *f, const void *data, size_t len);
void raw_frame(Fixture *f, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len);
/* A field, literal and not indexed. */
void raw_field(Buf *head, const char *name, const char *value);
/* A GET that is complete. */
void raw_get(Fixture *f, int32_t id);
/* name NULL: the four pseudo fields of a GET. */
void raw_head(Fixture *f, int32_t id, uint8_t flags, const char *name, const char *value);
/* Settles; the payload of the next frame of this type, in what came; -1: there is none, and all was dropped. */
ssize_t raw_next(Fixture *f, uint8_t type, uint8_t *ret_payload, size_t room);
/* The code of the GOAWAY that ends it; -1: none. */
int64_t raw_goaway(Fixture *f);
/* The code of the next RST_STREAM; -1: none. */
int64_t raw_reset(Fixture *f);

#endif
