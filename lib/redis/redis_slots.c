/* See redis_slots.h. */
#include "lib/redis/redis_slots.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/compiler.h"

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
  if (argc <= at || (script && atoi(argv[2]) == 0))
    return REDIS_SLOT_ANY;
  return redis_slot_of_key(argv[at], lens ? lens[at] : strlen(argv[at]));
}
