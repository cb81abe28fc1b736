/* Errors are values that the caller owns.
 *
 * The sign of an int result says whose job it is: 0 done; positive, an outcome that the header of the
 * function lists and its direct caller handles; negative, a failure described in *err, the last argument.
 * Kinds have the numbers of google.rpc.Code, so that the edge needs one table for HTTP and none for gRPC.
 */
#ifndef SANDPLANE_LIB_BASE_ERROR_H_
#define SANDPLANE_LIB_BASE_ERROR_H_

#include <stdint.h>

#include "lib/base/compiler.h"

typedef enum ErrorKind {
  ERROR_NONE = 0,
  ERROR_CANCELLED = 1,
  ERROR_UNKNOWN = 2,
  ERROR_INVALID_ARGUMENT = 3,
  ERROR_DEADLINE_EXCEEDED = 4,
  ERROR_NOT_FOUND = 5,
  ERROR_ALREADY_EXISTS = 6,
  ERROR_PERMISSION_DENIED = 7,
  ERROR_RESOURCE_EXHAUSTED = 8,
  ERROR_FAILED_PRECONDITION = 9,
  ERROR_ABORTED = 10,
  ERROR_OUT_OF_RANGE = 11,
  ERROR_UNIMPLEMENTED = 12,
  ERROR_INTERNAL = 13,
  ERROR_UNAVAILABLE = 14,
  ERROR_DATA_LOSS = 15,
  ERROR_UNAUTHENTICATED = 16,
} ErrorKind;

typedef struct Error {
  ErrorKind kind;
  /* When the caller may try again (google.rpc.RetryInfo); 0: nothing to say. */
  uint32_t retry_after_ms;
  /* Path of the field that is wrong, for example "spec.replicas" (google.rpc.BadRequest); with RESOURCE_EXHAUSTED whose
   * quota it is, for example "tenant:a" (google.rpc.QuotaFailure); may be empty. */
  char field[128];
  /* Cut at this size, always terminated. */
  char message[512]; /* cut behind a whole character */
} Error;

/* Both fill *err (a NULL err is allowed) and return -1, so that `return error_set(...)` reads well. */
int error_set(Error *err, ErrorKind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* INVALID_ARGUMENT with the field's path. */
int error_field(Error *err, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "context: " before the message. Returns -1. */
int error_prefix(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The compiler and the analyzer see at each call that it fails, and so which paths there are behind it. */
static inline int error_minus_one(int rc) {
  (void)rc;
  return -1;
}
#define error_set(...) error_minus_one(error_set(__VA_ARGS__))
#define error_field(...) error_minus_one(error_field(__VA_ARGS__))
#define error_prefix(...) error_minus_one(error_prefix(__VA_ARGS__))

/* "INVALID_ARGUMENT" and so on, never NULL. */
const char *error_kind_name(ErrorKind kind);

#endif
