/* The protocol, which is hiredis': it formats commands and reads replies, and does nothing else here. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_RESP_H_
#define SANDPLANE_LIB_REDIS_REDIS_RESP_H_

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/redis/redis.h"

typedef struct RedisReader RedisReader;

/* Appends a command; lens may be NULL: NUL-terminated arguments. There is room for it, its callers see to that. */
void redis_resp_command(Buf *out, size_t argc, const char *const *argv, const size_t *lens);

RedisReader *redis_reader_new(void);
void redis_reader_free(RedisReader *reader); /* NULL-safe */
/* Bytes of the one connection that it is for. */
void redis_reader_feed(RedisReader *reader, const void *data, size_t len);
/* The next whole reply, valid until the next call; NULL: there is none yet. -1 and err: these are no replies. */
int redis_reader_next(RedisReader *reader, const RedisReply **ret, Error *err) MUST_CHECK;
/* What the last reply lives in becomes the caller's, and with it the reply. */
Arena *redis_reader_keep(RedisReader *reader);

/* The words of an error reply, with the kind that redis.h promises. */
void redis_resp_error(const char *text, Error *ret);

#endif
