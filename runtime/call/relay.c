/* See relay.h. A side is read again when the other has sent all that came of it. */
#include "runtime/call/relay.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "runtime/peer.h"

#define KEPT_MAX ((size_t)64 << 10)
/* How often it is looked whether a caller that only sends no more has gone meanwhile: no event says that. */
#define LOOK_MS 1000

enum { CALLER, INNER };

typedef struct Side {
  struct Relay *relay;
  Stream *stream;
  bool eof;
} Side;

typedef struct Relay {
  Side side[2];
  LoopTimer *half_open;
} Relay;

static void relay_free(Relay *r) {
  stream_free(r->side[CALLER].stream);
  stream_free(r->side[INNER].stream);
  loop_timer_free(r->half_open);
  free(r);
}

static Side *other(Side *s) {
  return &s->relay->side[s == &s->relay->side[0]];
}

/* The caller has gone, and what it sent has been handed on: nobody is there for an answer. */
static bool is_left(const Relay *r) {
  return r->side[CALLER].eof && stream_pending(r->side[INNER].stream) == 0 &&
         peer_is_gone(stream_fd(r->side[CALLER].stream));
}

/* Something has ended, or what was before an end has been sent. */
static void look(Relay *r) {
  const Side *a = &r->side[CALLER], *b = &r->side[INNER];
  bool over = a->eof && b->eof && stream_pending(a->stream) == 0 && stream_pending(b->stream) == 0;
  if (over || is_left(r))
    relay_free(r);
  else if (a->eof || b->eof)
    loop_timer_start(r->half_open, LOOK_MS);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  Side *from = arg;
  Stream *to = other(from)->stream;
  stream_write(to, data, len);
  if (stream_pending(to) > 0)
    stream_pause(from->stream);
  return len;
}

static void on_flushed(void *arg) {
  Side *to = arg;
  stream_resume(other(to)->stream);
  look(to->relay);
}

static void on_eof(void *arg) {
  Side *from = arg;
  from->eof = true;
  stream_end(other(from)->stream);
  look(from->relay);
}

static void on_error(void *arg, int errnum) {
  relay_free(((Side *)arg)->relay);
}

static const StreamHandlers HANDLERS = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .must_write = true, .on_flushed = on_flushed};

static void on_half_open(void *arg) {
  Relay *r = arg;
  if (peer_is_gone(stream_fd(r->side[CALLER].stream)))
    relay_free(r);
  else
    loop_timer_start(r->half_open, LOOK_MS);
}

void relay_start(Loop *loop, Stream *caller, int fd) {
  Relay *r = new0(Relay);
  r->side[CALLER] = (Side){.relay = r, .stream = caller};
  r->side[INNER] = (Side){.relay = r};
  r->side[INNER].stream = stream_new(loop, fd, KEPT_MAX, &HANDLERS, &r->side[INNER]);
  r->half_open = loop_timer_new(loop, on_half_open, r);
  stream_hand_over(caller, KEPT_MAX, &HANDLERS, &r->side[CALLER]);
}
