/* See redis_slots.h. */
#include "lib/redis/redis_slots.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"

/* CRC-16 of the XMODEM protocol, as a cluster has it. */
static uint16_t crc16(const char *data, size_t len) {
  uint16_t crc = 0;
  for (size_t i = 0; i < len; i++) {
    crc ^= (uint16_t)((uint8_t)data[i] << 8);
    for (int bit = 0; bit < 8; bit++)
      crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return crc;
}

int redis_slot_of_key(const char *key, size_t len) {
  const char *open = memchr(key, '{', len);
  if (open) {
    const char *tag = open + 1, *close = memchr(tag, '}', len - (size_t)(tag - key));
    if (close && close > tag)
      return crc16(tag, (size_t)(close - tag)) % REDIS_SLOTS;
  }
  return crc16(key, len) % REDIS_SLOTS;
}

int redis_slot_of_command(size_t argc, const char *const *argv, const size_t *lens) {
  static const char *const KEYLESS[] = {"PING", "INFO", "PUBLISH", "SCRIPT", "CONFIG", "DBSIZE", "FLUSHALL", "TIME"};
  for (size_t i = 0; i < ARRAY_LEN(KEYLESS); i++)
    if (strcasecmp(argv[0], KEYLESS[i]) == 0)
      return REDIS_SLOT_ANY;
  bool script = strncasecmp(argv[0], "EVAL", 4) == 0;
  size_t at = script ? 3 : 1;
  if (argc <= at || (script && str_leading_int64(argv[2], 0) == 0))
    return REDIS_SLOT_ANY;
  return redis_slot_of_key(argv[at], lens ? lens[at] : strlen(argv[at]));
}

static bool is_range(const RedisReply *range) {
  if (range->type != REDIS_ARRAY || range->n_items < 3 || range->items[0]->type != REDIS_INTEGER ||
      range->items[1]->type != REDIS_INTEGER || range->items[2]->type != REDIS_ARRAY)
    return false;
  const RedisReply *master = range->items[2];
  return range->items[0]->integer >= 0 && range->items[1]->integer < REDIS_SLOTS && master->n_items >= 2 &&
         (master->items[0]->type == REDIS_STRING || master->items[0]->type == REDIS_NIL) &&
         master->items[1]->type == REDIS_INTEGER;
}

bool redis_slots_check(const RedisReply *map) {
  if (map->type != REDIS_ARRAY)
    return false;
  for (size_t i = 0; i < map->n_items; i++)
    if (!is_range(map->items[i]))
      return false;
  return true;
}

/* host empty, "?" or NULL: that of the server that says so. */
static void address_of(char out[REDIS_ADDRESS_MAX], const char *host, const char *port, const char *teller) {
  char own[REDIS_ADDRESS_MAX];
  if (str_empty(host) || strcmp(host, "?") == 0) {
    redis_address_host(teller, own);
    host = own;
  }
  snprintf(out, REDIS_ADDRESS_MAX, strchr(host, ':') ? "[%.200s]:%.20s" : "%.200s:%.20s", host, port);
}

void redis_slots_each(const RedisReply *map, const char *teller,
                      void (*fn)(void *arg, int first, int last, const char *address), void *arg) {
  for (size_t i = 0; i < map->n_items; i++) {
    const RedisReply *const *range = map->items[i]->items, *const *master = range[2]->items;
    char address[REDIS_ADDRESS_MAX], port[24];
    snprintf(port, sizeof port, "%lld", (long long)master[1]->integer);
    address_of(address, master[0]->str, port, teller);
    fn(arg, (int)range[0]->integer, (int)range[1]->integer, address);
  }
}

int redis_slot_elsewhere(const char *text, const char *teller, char address[REDIS_ADDRESS_MAX]) {
  const char *number = strchr(text, ' '), *where = number ? strchr(number + 1, ' ') : NULL;
  const char *colon = where ? strrchr(where, ':') : NULL;
  int64_t slot = number ? str_leading_int64(number + 1, -1) : -1;
  if (!colon || slot < 0 || slot >= REDIS_SLOTS)
    return -1;
  CLEANUP(str_freep) char *host = str_ndup(where + 1, (size_t)(colon - where - 1));
  address_of(address, host, colon + 1, teller);
  return (int)slot;
}
