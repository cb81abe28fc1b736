/* A stream over a socket pair: nothing lost, nothing reordered, bounded, each side ends by itself, and free of its
 * owner's surprises. */
#include "lib/loop/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/test.h"

typedef struct Peer {
  Loop *loop;
  Stream *stream;
  int far; /* the other end, blocking */
  Buf seen;
  size_t take; /* bytes used of each showing; 0: none, SIZE_MAX: all */
  int eofs, drains, errors, flushes, hangups;
  int errnum; /* of the last error */
  bool free_inside;
  const char *answer; /* queued by on_data, in two pieces */
} Peer;

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  Peer *p = arg;
  size_t n = p->take < len ? p->take : len;
  assert_int_equal(buf_append(&p->seen, data, n), 0);
  if (p->answer) {
    stream_queue(p->stream, p->answer, 1);
    stream_queue(p->stream, p->answer + 1, strlen(p->answer) - 1);
  }
  if (p->free_inside) {
    stream_free(p->stream);
    p->stream = NULL;
    loop_stop(p->loop);
  }
  return n;
}

/* A handler that counts, and ends what runs. */
#define COUNTS(name, member)    \
  static void name(void *arg) { \
    Peer *p = arg;              \
    p->member++;                \
    loop_stop(p->loop);         \
  }
COUNTS(on_eof, eofs)
COUNTS(on_drain, drains)
COUNTS(on_flushed, flushes)
COUNTS(on_hangup, hangups)

static void on_error(void *arg, int errnum) {
  Peer *p = arg;
  p->errors++;
  p->errnum = errnum;
  loop_stop(p->loop);
}

static const StreamHandlers HANDLERS = {
    .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_error = on_error, .on_flushed = on_flushed};
/* Of an owner who wants to know whether the peer is there. */
static const StreamHandlers WATCHFUL = {
    .on_data = on_data, .on_eof = on_eof, .on_error = on_error, .must_write = true, .on_hangup = on_hangup};

static void on_deadline(void *arg) {
  fail_msg("nothing happened for 10 s");
}

/* Runs the loop until a handler stops it, or for one turn and a little when nothing should happen. */
static void run(Peer *p) {
  LoopTimer *deadline = loop_timer_new(p->loop, on_deadline, NULL);
  loop_timer_start(deadline, 10000);
  loop_run(p->loop);
  loop_timer_free(deadline);
}

static void stop(void *arg) {
  loop_stop(((Peer *)arg)->loop);
}

static void run_quiet(Peer *p) {
  LoopTimer *timer = loop_timer_new(p->loop, stop, p);
  loop_timer_start(timer, 20);
  run(p);
  loop_timer_free(timer);
}

/* What is due now. */
static void run_quiet_turn(Peer *p) {
  loop_post(p->loop, stop, p);
  run(p);
}

static Peer *start_of(int type, size_t in_max) {
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
  assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  /* small, so that little of a large write leaves at once */
  assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)), 0);
  Peer *p = calloc(1, sizeof *p);
  assert_non_null(p);
  *p = (Peer){.loop = loop_new(), .far = fds[1], .take = SIZE_MAX, .seen = BUF_INIT(32 << 20)};
  p->stream = stream_new(p->loop, fds[0], in_max, &HANDLERS, p);
  return p;
}

static Peer *start(size_t in_max) {
  return start_of(SOCK_STREAM, in_max);
}

static void end(Peer *p) {
  stream_free(p->stream);
  if (p->far >= 0)
    close(p->far);
  buf_deinit(&p->seen);
  loop_free(p->loop);
  free(p);
}

static void put(Peer *p, const char *text) {
  assert_int_equal(write(p->far, text, strlen(text)), strlen(text));
}

static void test_what_is_not_used_is_shown_again(void **state) {
  Peer *p = start(1024);
  p->take = 0;
  put(p, "one");
  run_quiet(p);
  assert_int_equal(p->seen.len, 0);
  p->take = 2;
  put(p, "two");
  run_quiet(p);
  assert_string_equal(buf_str(&p->seen), "onetwo");
  end(p);
}

static void test_reading_stops_at_the_limit(void **state) {
  Peer *p = start(1000);
  p->take = 0;
  char block[3000];
  memset(block, 'x', sizeof block);
  assert_int_equal(write(p->far, block, sizeof block), sizeof block);
  run_quiet(p);
  p->take = SIZE_MAX;
  stream_show_again(p->stream);
  run_quiet(p);
  assert_int_equal(p->seen.len, sizeof block);
  end(p);
}

static void test_pause(void **state) {
  Peer *p = start(1024);
  stream_pause(p->stream);
  put(p, "text");
  close(p->far);
  p->far = -1;
  run_quiet(p);
  assert_int_equal(p->seen.len + (size_t)p->eofs, 0);
  stream_resume(p->stream);
  run(p);
  assert_string_equal(buf_str(&p->seen), "text");
  assert_int_equal(p->eofs, 1);
  end(p);
}

static void test_eof_waits_for_what_is_kept(void **state) {
  Peer *p = start(1024);
  p->take = 0;
  put(p, "text");
  close(p->far);
  p->far = -1;
  run_quiet(p);
  assert_int_equal(p->eofs, 0);
  p->take = SIZE_MAX;
  stream_show_again(p->stream);
  run(p);
  assert_int_equal(p->eofs, 1);
  end(p);
}

static void test_large_writes_arrive_whole(void **state) {
  Peer *p = start(1024);
  size_t len = 4 << 20, got = 0;
  uint8_t *data = malloc(len), *back = malloc(len);
  for (size_t i = 0; i < len; i++)
    data[i] = (uint8_t)(i * 7 + i / 256);
  for (size_t at = 0; at < len; at += len / 8)
    stream_write(p->stream, data + at, len / 8);
  stream_end(p->stream);
  assert_true(stream_pending(p->stream) >= STREAM_HIGH);
  while (got < len) {
    ssize_t n = recv(p->far, back + got, len - got, MSG_DONTWAIT);
    if (n > 0)
      got += (size_t)n;
    else
      run_quiet(p);
  }
  run_quiet(p);
  assert_memory_equal(data, back, len);
  assert_int_equal(p->drains, 1);
  assert_int_equal(stream_sent(p->stream), len);
  assert_int_equal(recv(p->far, back, 1, 0), 0);
  free(data);
  free(back);
  end(p);
}

static void test_answer_of_a_peer_that_does_not_read(void **state) {
  Peer *p = start(1024);
  put(p, "enough");
  close(p->far);
  p->far = -1;
  stream_write(p->stream, "more", 4);
  run(p);
  assert_string_equal(buf_str(&p->seen), "enough");
  assert_int_equal(p->eofs + p->errors, 1);
  end(p);
}

/* Both ways at once, each to its end, to a reader who takes little at a time. */
static void test_each_side_ends_by_itself(void **state) {
  Peer *p = start(8192);
  char block[4096], got[4096];
  size_t len = 1 << 20, back = 0;
  memset(block, 'y', sizeof block);
  stream_end(p->stream);
  assert_int_equal(read(p->far, got, 1), 0);
  for (size_t at = 0; at < len; at += sizeof block) {
    assert_int_equal(write(p->far, block, sizeof block), sizeof block);
    run_quiet_turn(p);
  }
  assert_int_equal(p->seen.len, len);
  assert_int_equal(p->eofs, 0);
  end(p);

  p = start(8192);
  assert_int_equal(shutdown(p->far, SHUT_WR), 0);
  run(p);
  assert_int_equal(p->eofs, 1);
  for (size_t at = 0; at < len; at += sizeof block)
    stream_write(p->stream, block, sizeof block);
  stream_end(p->stream);
  for (ssize_t n; (n = recv(p->far, got, 1000, MSG_DONTWAIT)) != 0;) {
    assert_true(n > 0 || errno == EAGAIN);
    back += n > 0 ? (size_t)n : 0;
    if (n < 0)
      run_quiet_turn(p);
  }
  assert_int_equal(back, len);
  end(p);
}

static void test_pieces_leave_together(void **state) {
  Peer *p = start(1024);
  char got[64];
  /* by the handler's end, in the order of all that is written */
  p->answer = "answer";
  put(p, "ask");
  run(p);
  assert_int_equal(p->flushes, 1);
  assert_int_equal(recv(p->far, got, sizeof got, 0), 6);
  assert_memory_equal(got, "answer", 6);
  /* from outside by the end of the turn */
  p->answer = NULL;
  stream_queue(p->stream, "a", 1);
  stream_queue(p->stream, "b", 1);
  assert_int_equal(recv(p->far, got, sizeof got, MSG_DONTWAIT), -1);
  assert_int_equal(stream_pending(p->stream), 2);
  run(p);
  assert_int_equal(recv(p->far, got, sizeof got, 0), 2);
  assert_memory_equal(got, "ab", 2);
  assert_int_equal(stream_pending(p->stream), 0);
  assert_int_equal(p->flushes, 2);
  end(p);
}

/* Each call of send is one message of this socket. */
static void test_a_write_takes_along_what_is_queued(void **state) {
  Peer *p = start_of(SOCK_SEQPACKET, 1024);
  char got[64];
  stream_queue(p->stream, "head", 4);
  stream_write(p->stream, "body", 4);
  assert_int_equal(recv(p->far, got, sizeof got, MSG_DONTWAIT), 8);
  assert_memory_equal(got, "headbody", 8);
  assert_int_equal(stream_pending(p->stream), 0);
  stream_queue(p->stream, "all", 3);
  stream_flush(p->stream);
  assert_int_equal(recv(p->far, got, sizeof got, MSG_DONTWAIT), 3);
  assert_int_equal(stream_sent(p->stream), 11);
  run(p);
  assert_int_equal(p->flushes, 1);
  end(p);
}

/* More than the socket takes, of both parts: in order, and each byte once. */
static void test_a_large_write_behind_what_is_queued(void **state) {
  enum { HEAD = 100000, BODY = 300000 };
  uint8_t *sent = malloc(HEAD + BODY), *got = malloc(HEAD + BODY);
  assert_true(sent && got);
  for (size_t i = 0; i < HEAD + BODY; i++)
    sent[i] = (uint8_t)(i * 7 + i / 251);
  for (size_t head = 1; head <= HEAD; head += HEAD - 1) {
    Peer *p = start(1024);
    stream_queue(p->stream, sent, head);
    stream_write(p->stream, sent + head, BODY);
    size_t n = 0;
    for (ssize_t k; n<head + BODY; n += k> 0 ? (size_t)k : 0) {
      k = recv(p->far, got + n, head + BODY - n, MSG_DONTWAIT);
      if (k < 0)
        run_quiet_turn(p);
    }
    assert_memory_equal(got, sent, head + BODY);
    assert_int_equal(stream_sent(p->stream), head + BODY);
    end(p);
  }
  free(sent);
  free(got);
}

static void test_a_hangup_is_told_in_a_pause(void **state) {
  Peer *p = start(1024);
  stream_hand_over(p->stream, 1024, &WATCHFUL, p);
  stream_pause(p->stream);
  put(p, "text");
  run_quiet(p);
  assert_int_equal(p->hangups, 0);
  close(p->far);
  p->far = -1;
  run(p);
  run_quiet(p);
  assert_int_equal(p->hangups, 1);
  assert_int_equal(p->seen.len + (size_t)p->eofs, 0);
  /* nothing is lost by it */
  stream_resume(p->stream);
  run(p);
  assert_string_equal(buf_str(&p->seen), "text");
  assert_int_equal(p->eofs, 1);
  end(p);
}

static void test_a_hangup_is_told_before_what_is_kept_is_used(void **state) {
  Peer *p = start(1024);
  stream_hand_over(p->stream, 1024, &WATCHFUL, p);
  p->take = 0;
  put(p, "text");
  close(p->far);
  p->far = -1;
  run(p);
  assert_int_equal(p->hangups, 1);
  assert_int_equal(p->eofs, 0);
  p->take = SIZE_MAX;
  stream_show_again(p->stream);
  run(p);
  assert_string_equal(buf_str(&p->seen), "text");
  assert_int_equal(p->eofs, 1);
  end(p);
}

static void test_a_write_that_fails(void **state) {
  Peer *p = start(1024);
  stream_hand_over(p->stream, 1024, &WATCHFUL, p);
  stream_pause(p->stream);
  put(p, "never read");
  close(p->far);
  p->far = -1;
  stream_queue(p->stream, "lost", 4);
  while (!p->errors)
    run(p);
  assert_int_equal(p->errnum, EPIPE);
  assert_int_equal(stream_pending(p->stream), 0);
  end(p);
}

static void test_a_reset_is_an_error(void **state) {
  Peer *p = start(1024);
  put(p, "first");
  run_quiet(p);
  stream_write(p->stream, "unread", 6);
  close(p->far);
  p->far = -1;
  run(p);
  assert_int_equal(p->errnum, ECONNRESET);
  assert_int_equal(p->errors, 1);
  assert_int_equal(p->eofs, 0);
  assert_string_equal(buf_str(&p->seen), "first");
  end(p);
}

static void test_another_owner_sees_what_was_kept(void **state) {
  Peer *p = start(1024), next = {.loop = p->loop, .take = SIZE_MAX, .seen = BUF_INIT(1024)};
  p->take = 1;
  put(p, "a");
  run_quiet(p);
  p->take = 0;
  put(p, "bc");
  run_quiet(p);
  stream_pause(p->stream);
  stream_hand_over(p->stream, 1024, &HANDLERS, &next);
  put(p, "d");
  close(p->far);
  p->far = -1;
  run(p);
  assert_string_equal(buf_str(&p->seen), "a");
  assert_string_equal(buf_str(&next.seen), "bcd");
  assert_int_equal(next.eofs, 1);
  buf_deinit(&next.seen);
  end(p);
}

static void test_freed_by_its_owner_inside(void **state) {
  Peer *p = start(1024);
  p->free_inside = true;
  put(p, "text");
  run(p);
  assert_null(p->stream);
  char c;
  assert_int_equal(read(p->far, &c, 1), 0);
  end(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_not_used_is_shown_again),
      cmocka_unit_test(test_reading_stops_at_the_limit),
      cmocka_unit_test(test_pause),
      cmocka_unit_test(test_eof_waits_for_what_is_kept),
      cmocka_unit_test(test_large_writes_arrive_whole),
      cmocka_unit_test(test_answer_of_a_peer_that_does_not_read),
      cmocka_unit_test(test_each_side_ends_by_itself),
      cmocka_unit_test(test_pieces_leave_together),
      cmocka_unit_test(test_a_write_takes_along_what_is_queued),
      cmocka_unit_test(test_a_large_write_behind_what_is_queued),
      cmocka_unit_test(test_a_hangup_is_told_in_a_pause),
      cmocka_unit_test(test_a_hangup_is_told_before_what_is_kept_is_used),
      cmocka_unit_test(test_a_write_that_fails),
      cmocka_unit_test(test_a_reset_is_an_error),
      cmocka_unit_test(test_another_owner_sees_what_was_kept),
      cmocka_unit_test(test_freed_by_its_owner_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
