/* A connected socket on the loop, with bounded buffers both ways: the one way in which bytes are read and written.
 *
 * Back-pressure is the owner's: it does not take what it cannot use (on_data returns less), pauses a stream
 * whose bytes would pile up elsewhere, and looks at stream_pending before it reads more from there. Nothing
 * is ever dropped or reordered. Each side ends by itself. Handlers may free the stream; functions never call handlers
 * from inside. Plain here, in TLS by lib/crypto/tls_stream.h. On the loop's thread.
 */
#ifndef SANDPLANE_LIB_LOOP_STREAM_H_
#define SANDPLANE_LIB_LOOP_STREAM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/loop/loop.h"

/* Above this much unsent the other side is paused, below half of it resumed: a few round trips of a fast
 * local socket, and 10,000 stalled connections stay under 3 GiB. */
enum { STREAM_HIGH = 256 << 10, STREAM_LOW = STREAM_HIGH / 2 };

typedef struct Stream Stream;

typedef struct StreamHandlers {
  /* Returns how many bytes were used; the rest is kept and shown again with what follows or after resume. */
  size_t (*on_data)(void *arg, const uint8_t *data, size_t len);
  /* The peer sent its last byte, and all of them were used. */
  void (*on_eof)(void *arg);
  /* What was to be sent has shrunk below STREAM_LOW, after it was above STREAM_HIGH. Optional. */
  void (*on_drain)(void *arg);
  /* Reading failed; nothing more comes. That writing fails is not told: the peer may have answered and closed
   * without reading on, and its answer counts. What is written then is dropped, and reading tells the end. */
  void (*on_error)(void *arg, int errnum);
  /* Writing that fails is told by on_error as well: whoever does not take all is owed nothing. */
  bool must_write;
  /* Nothing that had to wait does so any more. Optional. */
  void (*on_flushed)(void *arg);
  /* The peer has closed its side, told once and as soon as it is seen: what came before may still be kept, and while
   * nothing is read it is seen as far as the kernel reports it (LOOP_CLOSED). Optional. */
  void (*on_hangup)(void *arg);
} StreamHandlers;

/* Owns fd, a non-blocking socket, from now on. in_max: most that is kept of what on_data did not use; reading
 * stops there. */
Stream *stream_new(Loop *loop, int fd, size_t in_max, const StreamHandlers *handlers, void *arg);
void stream_free(Stream *stream); /* NULL-safe */
/* To another owner, as it is but for a pause, which ends: what was kept is shown to that one. */
void stream_hand_over(Stream *stream, size_t in_max, const StreamHandlers *handlers, void *arg);
/* Still the stream's. */
int stream_fd(const Stream *stream);
/* Sends len bytes, with what is queued and in one call, as far as the socket takes them now, and queues the rest. */
void stream_write(Stream *stream, const void *data, size_t len);
void stream_printf(Stream *stream, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same for what is written in pieces: they leave together, when the handler returns or the loop's turn ends. */
void stream_queue(Stream *stream, const void *data, size_t len);
/* What is queued leaves now: there is no more to come. */
void stream_flush(Stream *stream);
size_t stream_pending(const Stream *stream);
/* Bytes taken over since the stream began. */
uint64_t stream_sent(const Stream *stream);
/* No on_data and no on_eof until resumed, which shows again what was kept. */
void stream_pause(Stream *stream);
void stream_resume(Stream *stream);
/* Shows again what was kept, soon. */
void stream_show_again(Stream *stream);
/* The peer is told that something is missing (a reset), instead of an orderly end. */
void stream_reset_on_close(Stream *stream);
/* Half-closes behind what is queued. */
void stream_end(Stream *stream);
/* After on_error with EPROTO: what TLS says. */
const char *stream_trouble(const Stream *stream);

#endif
