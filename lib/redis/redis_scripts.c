/* See redis_scripts.h. A list: a service uses some twenty scripts, and finds one by comparing pointers. */
#include "lib/redis/redis_scripts.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#define SHA1_LEN 20

void redis_scripts_digest(const RedisScript *script, char out[41]) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len;
  /* SHA-1 is Redis' name for a script, not a protection */
  if (!EVP_Digest(script->source, script->source_len, digest, &len, EVP_sha1(), NULL) || len != SHA1_LEN)
    abort();
  str_hex(digest, len, out);
}

RedisKnownScript *redis_scripts_find(RedisKnownScript **list, const RedisScript *script) {
  for (RedisKnownScript *k = *list; k; k = k->next)
    if (k->source == script->source)
      return k;
  RedisKnownScript *k = new0(RedisKnownScript);
  *k = (RedisKnownScript){.next = *list, .source = script->source, .source_len = script->source_len};
  redis_scripts_digest(script, k->digest);
  *list = k;
  return k;
}

void redis_scripts_forget(RedisKnownScript *list) {
  for (; list; list = list->next)
    list->loaded_at = 0;
}

void redis_scripts_free(RedisKnownScript *list) {
  while (list) {
    RedisKnownScript *next = list->next;
    free(list);
    list = next;
  }
}
