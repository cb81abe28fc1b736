/* What a runtime decodes itself of foreign text: multipart bodies of uploads, and command lines of /execute. The first
 * byte chooses: even a command line, odd a body with the boundary "b", whose pieces' size is the byte's.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "runtime/exec_timeout.h"
#include "runtime/multipart.h"
#include "runtime/shlex.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1)
    return 0;
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
