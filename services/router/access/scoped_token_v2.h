/* Scoped tokens of the second kind: "v2.<kid>.<payload>.<signature>", which whoever has a private key makes and the
 * router checks with the public one, so that it holds nothing that could make any.
 *
 * payload: unpadded base64url of a JSON object; signature: unpadded base64url of Ed25519 over
 * "agent-sandbox/scoped-token/v2." + kid + "." + payload. The claims are ns, name, uid, port, method, path, exp in this
 * order, for one request; or without port, method and path, for all of the sandbox. The signature is checked before a
 * byte of the payload is read.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_SCOPED_TOKEN_V2_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_SCOPED_TOKEN_V2_H_

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "services/router/access/scoped_token.h"

typedef struct ScopedKeys ScopedKeys;

/* Public keys: {"keys":[{"kid","publicKey"}]}, kid 1 to 128 of [A-Za-z0-9_-], publicKey unpadded base64url. Others may
 * not write the file. NULL: err names option and path. */
ScopedKeys *scoped_keys_read(const char *option, const char *path, Error *err);
void scoped_keys_free(ScopedKeys *keys); /* NULL-safe */

typedef struct ScopedTokenV2 {
  ScopedToken of;
  char uid[65]; /* of the claim or the Sandbox that is meant */
  /* What is asked; port 0: anything. */
  uint16_t port;
  char method[32];
  char path[1024]; /* without a query, as it is in the request */
} ScopedTokenV2;

/* False: malformed, of an unknown key, or expired. */
bool scoped_token_v2_verify(const ScopedKeys *keys, const char *token, int64_t now_s, ScopedTokenV2 *ret_token);

#endif
