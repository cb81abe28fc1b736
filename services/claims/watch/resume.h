/* Where a watcher stands: how far it has read the history of each pool it looks at.
 *
 * Each pool has a stream of its own, whose ids are ordered within it only (on a cluster two pools' streams
 * live on two servers with two clocks). So the position of a watch is a vector: one stream id per pool, kept
 * sorted by "namespace/pool". Its text "ns/pool=ms-seq,..." is sealed as the resume token, with a hash of the
 * watch's filters, so that a token cannot be continued with filters for which "no change" means something
 * else. Any replica can go on from it, because it names the shared streams and nothing of the replica.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_WATCH_RESUME_H_
#define SANDPLANE_SERVICES_CLAIMS_WATCH_RESUME_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/resource/resource.h"

enum {
  /* Pools one watch may span. A token is at most about 64 KiB then; it comes with every event. */
  RESUME_MAX_POOLS = 512,
  RESUME_STREAM_ID_SIZE = 48,                        /* two 64-bit numbers, a hyphen, a NUL */
  RESUME_POOL_SIZE = 2 * (RESOURCE_SEGMENT_MAX + 1), /* "namespace/pool" and a NUL */
};

typedef struct ResumeEntry {
  char pool[RESUME_POOL_SIZE];
  char stream_id[RESUME_STREAM_ID_SIZE];
} ResumeEntry;

typedef struct Resume {
  ResumeEntry *entries; /* sorted by pool */
  size_t n_entries;
} Resume;

void resume_deinit(Resume *resume);
/* NULL: no such pool. */
const char *resume_get(const Resume *resume, const char *pool);
/* Adds the pool or moves it on. -1: RESUME_MAX_POOLS are there already. */
int resume_set(Resume *resume, const char *pool, const char *stream_id) MUST_CHECK;
void resume_remove(Resume *resume, const char *pool);
/* The caller frees. */
char *resume_token(const Resume *resume, const char *query);
/* 0, or -1 with field "resume_token". */
int resume_parse(const char *token, const char *query, Resume *ret_resume, Error *err) MUST_CHECK;

/* Milliseconds of a stream id "ms-seq". */
int64_t resume_ms(const char *stream_id);

#endif
