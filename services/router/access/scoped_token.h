/* Scoped tokens: "v1.<payload>.<mac>", good for one sandbox until they expire.
 *
 * payload: unpadded base64url of {"ns","name","exp"}; mac: unpadded base64url of HMAC-SHA256(secret,
 * "agent-sandbox/scoped-token/v1." + payload). The MAC is checked before a byte of the payload is read.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_SCOPED_TOKEN_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_SCOPED_TOKEN_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ScopedToken {
  char ns[64], name[254];
  int64_t exp_s;
} ScopedToken;

/* False: malformed, of another secret, or expired. */
bool scoped_token_verify(const char *token, const void *secret, size_t secret_len, int64_t now_s,
                         ScopedToken *ret_token);

#endif
