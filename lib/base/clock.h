/* Time comes in as an argument wherever a decision depends on it; these are read at the edges only. */
#ifndef SANDPLANE_LIB_BASE_CLOCK_H_
#define SANDPLANE_LIB_BASE_CLOCK_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"

int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* RFC 3339, UTC, milliseconds: "2026-01-31T12:00:00.000Z"; out holds 25 bytes or more. */
void clock_format_rfc3339(int64_t wall_ms, char *out, size_t out_len);
/* The whole of text as a time of RFC 3339, with an offset or Z; a fraction of the second is dropped. 0, or -1. */
int clock_parse_rfc3339(const char *text, int64_t *ret_wall_ms) MUST_CHECK;

#endif
