/* See mutate.h. */
#include "build_defs/fuzz/mutate.h"

#include <string.h>

MutateInput mutate_inputs[MUTATE_MAX_INPUTS];
size_t mutate_n_inputs;

static uint64_t random_state = 0x9e3779b97f4a7c15;

uint64_t mutate_below(uint64_t n) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return n ? random_state % n : 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) {
  static const uint8_t TELLING[] = {0, 1, 0x7f, 0x80, 0xff, '\r', '\n', '"', '{', '[', ':', ',', '0', '-', '.', ' '};
  size_t at = size ? mutate_below(size) : 0, n = 1 + mutate_below(8);
  switch (mutate_below(6)) {
  case 0:
    if (size)
      data[at] ^= (uint8_t)(1u << mutate_below(8));
    return size;
  case 1:
    if (size)
      data[at] = TELLING[mutate_below(sizeof TELLING)];
    return size;
  case 2: /* cut out */
    if (at + n > size)
      return at;
    memmove(data + at, data + at + n, size - at - n);
    return size - n;
  case 3: /* say again */
    if (at + n > size || size + n > max)
      return size;
    memmove(data + at + n, data + at, size - at);
    return size + n;
  case 4: /* put in */
    if (size + 1 > max)
      return size;
    memmove(data + at + 1, data + at, size - at);
    data[at] = TELLING[mutate_below(sizeof TELLING)];
    return size + 1;
  default: { /* the end of another */
    const MutateInput *other = &mutate_inputs[mutate_below(mutate_n_inputs)];
    size_t from = other->len ? mutate_below(other->len) : 0, len = other->len - from;
    if (at + len > max)
      len = max - at;
    if (len)
      memcpy(data + at, other->data + from, len);
    return at + len;
  }
  }
}
