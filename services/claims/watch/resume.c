/* See resume.h. */
#include "services/claims/watch/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

void resume_deinit(Resume *resume) {
  free(resume->entries);
  *resume = (Resume){0};
}

/* Index of the pool, or of where it belongs. */
static size_t find(const Resume *resume, const char *pool, bool *ret_found) {
  size_t lo = 0, hi = resume->n_entries;
  *ret_found = false;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    int cmp = strcmp(pool, resume->entries[mid].pool);
    if (cmp == 0) {
      *ret_found = true;
      return mid;
    }
    if (cmp < 0)
      hi = mid;
    else
      lo = mid + 1;
  }
  return lo;
}

const char *resume_get(const Resume *resume, const char *pool) {
  bool found;
  size_t at = find(resume, pool, &found);
  return found ? resume->entries[at].stream_id : NULL;
}

int resume_set(Resume *resume, const char *pool, const char *stream_id) {
  bool found;
  size_t at = find(resume, pool, &found);
  if (!found) {
    if (resume->n_entries == RESUME_MAX_POOLS)
      return -1;
    size_t n = resume->n_entries + 1;
    resume->entries = xreallocarray(resume->entries, n, sizeof *resume->entries);
    ResumeEntry *entry = resume->entries + at;
    memmove(entry + 1, entry, (resume->n_entries - at) * sizeof *entry);
    resume->n_entries = n;
    snprintf(entry->pool, sizeof entry->pool, "%s", pool);
  }
  snprintf(resume->entries[at].stream_id, RESUME_STREAM_ID_SIZE, "%s", stream_id);
  return 0;
}

void resume_remove(Resume *resume, const char *pool) {
  bool found;
  size_t at = find(resume, pool, &found);
  if (!found)
    return;
  ResumeEntry *entry = resume->entries + at;
  memmove(entry, entry + 1, (resume->n_entries - at - 1) * sizeof *entry);
  resume->n_entries--;
}

enum { TEXT_MAX = RESUME_MAX_POOLS * (RESUME_POOL_SIZE + RESUME_STREAM_ID_SIZE) };

char *resume_token(const Resume *resume, const char *query) {
  CLEANUP(buf_deinit) Buf text = BUF_INIT(TEXT_MAX);
  for (size_t i = 0; i < resume->n_entries; i++)
    if (buf_printf(&text, "%s%s=%s", i ? "," : "", resume->entries[i].pool, resume->entries[i].stream_id) < 0)
      abort(); /* the maximum holds any vector */
  return resource_token_seal(query, buf_str(&text));
}

/* "ns/pool" and "ms-seq" exactly: both become parts of keys and commands. */
static bool well_formed(char *pool, char *stream_id) {
  char *slash = strchr(pool, '/'), *hyphen = strchr(stream_id, '-');
  if (!slash || !hyphen || strlen(pool) >= RESUME_POOL_SIZE || strlen(stream_id) >= RESUME_STREAM_ID_SIZE)
    return false;
  int64_t n;
  *slash = *hyphen = '\0';
  bool ok = str_is_dns_label(pool) && str_is_dns_label(slash + 1) && str_to_int64(stream_id, 0, INT64_MAX, &n) == 0 &&
            str_to_int64(hyphen + 1, 0, INT64_MAX, &n) == 0;
  *slash = '/';
  *hyphen = '-';
  return ok;
}

int resume_parse(const char *token, const char *query, Resume *ret_resume, Error *err) {
  *ret_resume = (Resume){0};
  CLEANUP(buf_deinit) Buf text = BUF_INIT(TEXT_MAX);
  if (resource_token_open(token, query, "resume_token", &text, err) < 0)
    return -1;
  CLEANUP(resume_deinit) Resume resume = {0};
  char *rest = text.len ? (char *)text.data : NULL;
  for (char *pool; (pool = strsep(&rest, ","));) {
    char *stream_id = strchr(pool, '=');
    if (stream_id)
      *stream_id++ = '\0';
    if (!stream_id || !well_formed(pool, stream_id) || resume_set(&resume, pool, stream_id) < 0)
      return error_field(err, "resume_token", "is not a token of this service");
  }
  *ret_resume = resume;
  resume = (Resume){0};
  return 0;
}

int64_t resume_ms(const char *stream_id) {
  return strtoll(stream_id, NULL, 10);
}
