/* What a runtime decodes itself of foreign text: multipart bodies of uploads; bodies and command lines of /execute, and
 * what commands print. The first byte chooses: even a command line, odd a body with the boundary "b", whose pieces'
 * size is the byte's.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "runtime/http/execute_body.h"
#include "runtime/http/json_text.h"
#include "runtime/http/multipart.h"
#include "runtime/http/shlex.h"
#include "runtime/process/exec_timeout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_file(void *arg, const char *filename, Error *err) {
  Buf *told = arg;
  (void)err;
  return buf_printf(told, "file %s\n", filename);
}

static int on_data(void *arg, const uint8_t *data, size_t len, Error *err) {
  Buf *told = arg;
  (void)err;
  return buf_append(told, data, len);
}

static Buf feed(const uint8_t *data, size_t size, size_t piece) {
  Buf told = BUF_INIT(8 << 20);
  Multipart m = {.on_file = on_file, .on_data = on_data, .arg = &told};
  Error err;
  if (multipart_init(&m, "multipart/form-data; boundary=b", &err) != 0)
    abort();
  m.on_file = on_file, m.on_data = on_data, m.arg = &told;
  int rc = 0;
  for (size_t at = 0, n; at < size && rc == 0; at += n) {
    n = size - at < piece ? size - at : piece;
    rc = multipart_feed(&m, data + at, n, &err);
  }
  if (buf_printf(&told, "\n%d %d", rc, rc == 0 && multipart_complete(&m)))
    abort();
  multipart_deinit(&m);
  return told;
}

static void check_execute_body(const uint8_t *data, size_t size) {
  Arena *arena = arena_new();
  ExecuteBody body = {0};
  ExecuteFault fault = {0};
  int rc = execute_body_read(arena, data, size, &body, &fault);
  if (rc ? fault.status != 400 && fault.status != 422 : !body.command || body.timeout_ms == 0)
    abort();
  arena_free(arena);
}

/* The same however it is cut, and always UTF-8. */
static void check_json_text(const uint8_t *data, size_t size, size_t piece) {
  Buf whole = BUF_INIT(0), pieces = BUF_INIT(0);
  JsonText a = {0}, b = {0};
  int rc = json_text_feed(&a, data, size, &whole) || json_text_end(&a, &whole);
  for (size_t at = 0, n; at < size && rc == 0; at += n) {
    n = size - at < piece ? size - at : piece;
    rc = json_text_feed(&b, data + at, n, &pieces);
  }
  if (rc || json_text_end(&b, &pieces) || strcmp(a.error, b.error) != 0 || whole.len != pieces.len ||
      (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0) || !str_is_utf8(buf_str(&whole), whole.len))
    abort();
  buf_deinit(&whole);
  buf_deinit(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1)
    return 0;
  check_execute_body(data + 1, size - 1);
  check_json_text(data + 1, size - 1, (size_t)data[0] / 2 + 1);
  if (data[0] % 2) {
    Buf whole = feed(data + 1, size - 1, size), pieces = feed(data + 1, size - 1, (size_t)data[0] / 2 + 1);
    if (whole.len != pieces.len || memcmp(whole.data, pieces.data, whole.len) != 0)
      abort();
    buf_deinit(&whole);
    buf_deinit(&pieces);
  }
  CLEANUP(str_freep) char *text = str_ndup((const char *)data + 1, size - 1);
  Multipart header = {0};
  Error err;
  if (multipart_init(&header, text, &err) == 0)
    multipart_deinit(&header);
  int64_t ms = 1;
  if (exec_timeout_parse(text, &ms) && (ms <= 0 || ms > 30LL * 86400 * 1000))
    abort();
  Arena *arena = arena_new();
  size_t n = 0;
  const char *why = NULL;
  char **words = shlex_split(arena, text, &n, &why);
  if (words ? words[n] != NULL : why == NULL)
    abort();
  for (size_t i = 0; words && i < n; i++) {
    if (!words[i])
      abort();
  }
  arena_free(arena);
  return 0;
}
