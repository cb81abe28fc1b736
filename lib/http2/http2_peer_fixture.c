/* The peers of http2_fixture.h: an nghttp2 client, and frames by hand. */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/http2/http2_fixture.h"

static void must(int rc) {
  if (rc != 0)
    abort();
}

/* ---- The client ---- */

Answer *client_answer(Fixture *f, int32_t id) {
  if (id / 2 >= FIXTURE_STREAMS)
    abort();
  return &f->answers_of[id / 2];
}

const char *client_heads(Fixture *f, int32_t id) {
  return buf_str(&client_answer(f, id)->heads);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg) {
  return buf_printf(&client_answer(arg, frame->hd.stream_id)->heads, "%s: %s\n", (const char *)name,
                    (const char *)value);
}

static int on_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg) {
  return buf_append(&client_answer(arg, id)->body, data, len);
}

static void see_settings(Fixture *f, const nghttp2_settings *settings) {
  f->settings++;
  for (size_t i = 0; i < settings->niv; i++) {
    uint32_t value = settings->iv[i].value;
    switch (settings->iv[i].settings_id) {
    case NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS:
      f->max_streams = value;
      break;
    case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
      f->stream_window = value;
      break;
    case NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE:
      f->head_bytes = value;
      break;
    case NGHTTP2_SETTINGS_HEADER_TABLE_SIZE:
      f->header_table = value;
      break;
    }
  }
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg) {
  Fixture *f = arg;
  if (frame->hd.type == NGHTTP2_HEADERS)
    return buf_append(&client_answer(f, frame->hd.stream_id)->heads, "\n", 1);
  if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
    see_settings(f, &frame->settings);
  if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
    f->pings_acked++;
  if (frame->hd.type == NGHTTP2_RST_STREAM)
    f->resets++;
  if (frame->hd.type != NGHTTP2_GOAWAY || f->goaways == 8)
    return 0;
  f->last_ids[f->goaways] = frame->goaway.last_stream_id;
  f->goaway_codes[f->goaways++] = frame->goaway.error_code;
  return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg) {
  Answer *a = client_answer(arg, id);
  a->closed = true;
  a->code = code;
  return 0;
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *arg) {
  Answer *a = client_answer(arg, id);
  size_t left = a->offered - a->sent, n = left < len ? left : len;
  memset(out, 'b', n);
  a->sent += n;
  if (a->sent < a->offered)
    return (ssize_t)n;
  if (!a->wait)
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  else if (n == 0)
    return NGHTTP2_ERR_DEFERRED;
  return (ssize_t)n;
}

void client_start(Fixture *f, uint32_t window) {
  nghttp2_session_callbacks *c;
  must(nghttp2_session_callbacks_new(&c));
  nghttp2_session_callbacks_set_on_header_callback(c, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_chunk);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
  nghttp2_option *option;
  must(nghttp2_option_new(&option));
  /* heads that are too large are for the server to refuse */
  nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
  must(nghttp2_session_client_new2(&f->client, c, f, option));
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(c);
  nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
  must(nghttp2_submit_settings(f->client, NGHTTP2_FLAG_NONE, &settings, 1));
  fixture_settle(f);
}

static nghttp2_nv nv(const char *name, const char *value) {
  return (nghttp2_nv){.name = (uint8_t *)name, .value = (uint8_t *)value, strlen(name), strlen(value)};
}

int32_t client_ask(Fixture *f, const char *method, const char *path, ssize_t body) {
  nghttp2_nv head[] = {nv(":method", method), nv(":scheme", "https"), nv(":authority", "a.test"), nv(":path", path)};
  nghttp2_data_provider provider = {.read_callback = read_body};
  int32_t id = nghttp2_submit_request(f->client, NULL, head, 4, body >= 0 ? &provider : NULL, NULL);
  if (id < 0)
    abort();
  if (body > 0)
    client_answer(f, id)->offered = (size_t)body;
  return id;
}

/* ---- Raw ---- */

void raw_frame(Fixture *f, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len) {
  uint8_t frame[9 + (16 << 10)] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
                                   (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
  if (len > sizeof frame - 9)
    abort();
  if (len > 0)
    memcpy(frame + 9, payload, len);
  raw_send(f, frame, 9 + len);
}

void raw_start(Fixture *f) {
  raw_send(f, HTTP2_PREFACE, HTTP2_PREFACE_LEN);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
  fixture_settle(f);
  raw_frame(f, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
  fixture_settle(f);
}

/* RFC 7541, 5.1 and 5.2, with a prefix of seven bits. */
static void put_text(Buf *out, const char *text) {
  size_t len = strlen(text);
  uint8_t at[8];
  size_t n = 0;
  at[n++] = len < 127 ? (uint8_t)len : 127;
  if (len >= 127) {
    size_t rest = len - 127;
    for (; rest >= 128; rest /= 128)
      at[n++] = (uint8_t)(rest % 128 + 128);
    at[n++] = (uint8_t)rest;
  }
  must(buf_append(out, at, n));
  must(buf_append(out, text, len));
}

void raw_field(Buf *head, const char *name, const char *value) {
  must(buf_append(head, "", 1));
  put_text(head, name);
  put_text(head, value);
}

void raw_head(Fixture *f, int32_t id, uint8_t flags, const char *name, const char *value) {
  CLEANUP(buf_deinit) Buf head = {0};
  raw_field(&head, ":method", "GET");
  raw_field(&head, ":scheme", "http");
  raw_field(&head, ":authority", "a.test");
  raw_field(&head, ":path", "/");
  if (name)
    raw_field(&head, name, value);
  raw_frame(f, NGHTTP2_HEADERS, flags, id, head.data, head.len);
}

void raw_get(Fixture *f, int32_t id) {
  raw_head(f, id, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, NULL, NULL);
}

ssize_t raw_next(Fixture *f, uint8_t type, uint8_t *ret_payload, size_t room) {
  fixture_settle(f);
  if (f->in.len >= HTTP2_PREFACE_LEN && memcmp(f->in.data, HTTP2_PREFACE, HTTP2_PREFACE_LEN) == 0)
    buf_consume(&f->in, HTTP2_PREFACE_LEN);
  while (f->in.len >= 9) {
    const uint8_t *at = f->in.data;
    size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
    uint8_t seen = at[3];
    if (f->in.len < 9 + len)
      break;
    if (len > 0)
      memcpy(ret_payload, at + 9, len < room ? len : room);
    buf_consume(&f->in, 9 + len);
    if (seen == type)
      return (ssize_t)len;
  }
  f->in.len = 0;
  return -1;
}

static int64_t code_of(const uint8_t *at) {
  return (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

int64_t raw_goaway(Fixture *f) {
  uint8_t payload[64] = {0};
  return raw_next(f, NGHTTP2_GOAWAY, payload, sizeof payload) < 8 ? -1 : code_of(payload + 4);
}

int64_t raw_reset(Fixture *f) {
  uint8_t payload[64] = {0};
  return raw_next(f, NGHTTP2_RST_STREAM, payload, sizeof payload) < 4 ? -1 : code_of(payload);
}

/* ---- Raw, as a server ---- */

static void put_u32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

void raw_greet(Fixture *f, int64_t max_streams) {
  uint8_t entry[6] = {0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS};
  put_u32(entry + 2, (uint32_t)max_streams);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, entry, max_streams >= 0 ? sizeof entry : 0);
  raw_frame(f, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
  fixture_settle(f);
}

void raw_answer(Fixture *f, int32_t id, uint8_t flags, const char *status, const char *name, const char *value) {
  CLEANUP(buf_deinit) Buf head = {0};
  raw_field(&head, ":status", status);
  if (name)
    raw_field(&head, name, value);
  raw_frame(f, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, id, head.data, head.len);
}

void raw_trailer(Fixture *f, int32_t id, const char *name, const char *value) {
  CLEANUP(buf_deinit) Buf head = {0};
  raw_field(&head, name, value);
  raw_frame(f, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, head.data, head.len);
}

void raw_rst(Fixture *f, int32_t id, uint32_t code) {
  uint8_t payload[4];
  put_u32(payload, code);
  raw_frame(f, NGHTTP2_RST_STREAM, 0, id, payload, sizeof payload);
}

void raw_leave(Fixture *f, int32_t last_id, uint32_t code) {
  uint8_t payload[8];
  put_u32(payload, (uint32_t)last_id);
  put_u32(payload + 4, code);
  raw_frame(f, NGHTTP2_GOAWAY, 0, 0, payload, sizeof payload);
}
