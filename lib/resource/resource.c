/* See resource.h. */
#include "lib/resource/resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

#define NAMESPACES "namespaces/"

/* Copies the segment at *s up to a slash or the end; *s is left behind the slash or at the end. */
static bool take_label(const char **s, char out[RESOURCE_SEGMENT_MAX + 1]) {
  size_t len = strcspn(*s, "/");
  if (len == 0 || len > RESOURCE_SEGMENT_MAX)
    return false;
  memcpy(out, *s, len);
  out[len] = '\0';
  *s += len;
  if (**s == '/')
    (*s)++;
  return str_is_dns_label(out);
}

static bool parse_name(const char *name, const char *collection, ResourceName *ret_name) {
  if (!name || !str_starts_with(name, NAMESPACES))
    return false;
  const char *s = name + strlen(NAMESPACES);
  size_t collection_len = strlen(collection);
  if (!take_label(&s, ret_name->ns) || s[-1] != '/')
    return false;
  if (strncmp(s, collection, collection_len) != 0 || s[collection_len] != '/')
    return false;
  s += collection_len + 1;
  /* A slash behind the id would be swallowed by take_label. */
  return !strchr(s, '/') && take_label(&s, ret_name->id);
}

int resource_name_parse(const char *name, const char *collection, const char *field, ResourceName *ret_name,
                        Error *err) {
  if (str_empty(name))
    return error_field(err, field, "is required: namespaces/{namespace}/%s/{id}", collection);
  if (!parse_name(name, collection, ret_name))
    return error_field(err, field,
                       "must be namespaces/{namespace}/%s/{id}, each segment 1-63 of [a-z0-9-] without a hyphen "
                       "at an edge",
                       collection);
  return 0;
}

int resource_parent_parse(const char *parent, bool wildcard, const char *field, char ret_ns[RESOURCE_SEGMENT_MAX + 1],
                          Error *err) {
  if (str_empty(parent))
    return error_field(err, field, "is required: namespaces/{namespace}");
  if (str_starts_with(parent, NAMESPACES)) {
    const char *s = parent + strlen(NAMESPACES);
    if (wildcard && str_equal(s, "-")) {
      ret_ns[0] = '\0';
      return 0;
    }
    if (!strchr(s, '/') && take_label(&s, ret_ns))
      return 0;
  }
  return error_field(err, field, "must be namespaces/{namespace}%s", wildcard ? ", or namespaces/- for all" : "");
}

void resource_name_format(char out[RESOURCE_NAME_SIZE], const char *ns, const char *collection, const char *id) {
  snprintf(out, RESOURCE_NAME_SIZE, NAMESPACES "%s/%s/%s", ns, collection, id);
}

int resource_page_size(int64_t page_size, size_t *ret_size, Error *err) {
  if (page_size < 0)
    return error_field(err, "page_size", "must not be negative");
  if (page_size == 0)
    page_size = RESOURCE_PAGE_DEFAULT;
  *ret_size = (size_t)(page_size < RESOURCE_PAGE_MAX ? page_size : RESOURCE_PAGE_MAX);
  return 0;
}

/* version, hash of the query, checksum of all that is not the checksum; then the position. */
enum { TOKEN_VERSION = 1, TOKEN_QUERY = 1, TOKEN_SUM = 5, TOKEN_POSITION = 9 };

static void put32(uint8_t *out, uint32_t v) {
  for (int i = 0; i < 4; i++)
    out[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void token_head(uint8_t head[TOKEN_POSITION], const char *query, const char *position) {
  head[0] = TOKEN_VERSION;
  put32(head + TOKEN_QUERY, str_fnv1a32(query, strlen(query)));
  uint8_t sums[8];
  put32(sums, str_fnv1a32(head, TOKEN_SUM));
  put32(sums + 4, str_fnv1a32(position, strlen(position)));
  put32(head + TOKEN_SUM, str_fnv1a32(sums, sizeof sums));
}

char *resource_token_seal(const char *query, const char *position) {
  uint8_t head[TOKEN_POSITION];
  token_head(head, query, position);
  CLEANUP(buf_deinit) Buf raw = BUF_INIT(0);
  Buf out = BUF_INIT(0);
  if (buf_append(&raw, head, sizeof head) < 0 || buf_append_str(&raw, position) < 0 ||
      str_base64_encode(&out, raw.data, raw.len, true) < 0)
    abort(); /* positions are made by this process, far below a buffer's maximum */
  return (char *)out.data;
}

int resource_token_open(const char *token, const char *query, const char *field, Buf *ret_position, Error *err) {
  CLEANUP(buf_deinit) Buf raw = BUF_INIT(TOKEN_POSITION + ret_position->max);
  if (str_base64_decode(&raw, token, strlen(token), true) < 0 || raw.len < TOKEN_POSITION)
    return error_field(err, field, "is not a token of this service");
  const char *position = (const char *)raw.data + TOKEN_POSITION;
  uint8_t head[TOKEN_POSITION];
  token_head(head, query, position);
  if (raw.data[0] == TOKEN_VERSION && memcmp(head + TOKEN_QUERY, raw.data + TOKEN_QUERY, 4) != 0)
    return error_field(err, field, "belongs to a request with other parameters");
  if (memcmp(head, raw.data, TOKEN_POSITION) != 0 || strlen(position) != raw.len - TOKEN_POSITION ||
      buf_append_str(ret_position, position) < 0)
    return error_field(err, field, "is not a token of this service");
  return 0;
}

int resource_page_position(const char *token, const char *query, char ret_position[RESOURCE_POSITION_MAX + 1],
                           Error *err) {
  ret_position[0] = '\0';
  if (str_empty(token))
    return 0;
  CLEANUP(buf_deinit) Buf position = BUF_INIT(RESOURCE_POSITION_MAX);
  if (resource_token_open(token, query, "page_token", &position, err) < 0)
    return -1;
  memcpy(ret_position, buf_str(&position), position.len + 1);
  return 0;
}
