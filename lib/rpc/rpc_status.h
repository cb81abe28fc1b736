/* Errors on the wire: google.rpc.Status in the trailer grpc-status-details-bin (internal to lib/rpc).
 *
 * Only what Error can hold travels: the field's path as BadRequest (with RESOURCE_EXHAUSTED: as the subject of a
 * QuotaFailure), the retry delay as RetryInfo. An error with neither has no details. The C core takes and gives the
 * trailer's raw bytes and does the base64 itself.
 */
#ifndef SANDPLANE_LIB_RPC_RPC_STATUS_H_
#define SANDPLANE_LIB_RPC_RPC_STATUS_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

#define RPC_STATUS_DETAILS_KEY "grpc-status-details-bin"

/* malloc'ed, or NULL when the error has no details. */
uint8_t *rpc_status_encode(const Error *err, size_t *ret_len);
/* Adds field and retry delay to *err; unknown details are ignored, and so is what cannot be parsed. */
void rpc_status_decode(const uint8_t *details, size_t len, Error *err);

#endif
