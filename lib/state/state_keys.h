/* All key and channel formats of the shared state, in one place.
 *
 * The keys of a namespace's pools and quotas share the hash tag {namespace}, so that every script touches one Redis
 * Cluster slot.
 * A sandbox is named <pool>-<5 characters>; its pool is what stands before the last hyphen.
 *
 *   sp:epoch                      string   marks the data set; see state_epoch_*
 *   sp:pools  sp:templates        zset     score 0, members "namespace/name": lexical index for lists
 *   sp:template:NS/NAME           hash     manifest hash generation runtime_class image create_ms
 *   sp:{NS}/POOL:pool             hash     template replicas strategy generation create_ms implicit
 *                                          reason message template_hash failures early failure_ms history_ms
 *                                          deleted shape created destroyed gang_seq fence; while
 *                                          somebody waits: vtime seq
 *   sp:{NS}/POOL:sb:ID            hash     one sandbox, fields in state.h
 *   sp:{NS}/POOL:all              zset     score 0, every sandbox: lexical index for lists
 *   sp:{NS}/POOL:creating         zset     score: ms since when
 *   sp:{NS}/POOL:ready            zset     score: fresh template first, then oldest
 *   sp:{NS}/POOL:claimed          zset     score: ms at which it ends, +inf: never; CLAIMED and FAILED
 *   sp:{NS}/POOL:releasing        zset     score: ms since when
 *   sp:{NS}/POOL:queue            zset     score: virtual start time; members: tenants with waiters
 *   sp:{NS}/POOL:queue:TENANT     zset     score: order; members: waiter tokens
 *   sp:{NS}/POOL:fair             hash     virtual start times of tenants without waiters, while others wait
 *   sp:{NS}/POOL:waiting          zset     score: ms since when; all waiter tokens
 *   sp:{NS}/POOL:gangs            zset     score: order * 1024 + how many it needs; tokens of batches that wait
 *   sp:{NS}/POOL:waiters          hash     token (the claim's uid) -> what it asks for, JSON
 *   sp:{NS}/POOL:deadlines        zset     score: ms at which a waiter gives up
 *   sp:{NS}/POOL:uids             hash     claim uid -> sandbox, while the sandbox is there
 *   sp:{NS}/POOL:spent:UID        string   empty: the claim's sandbox is gone; expires after ten minutes
 *   sp:{NS}/POOL:req:TENANT:REQUEST_ID
 *                                 string   claim uid, for idempotency; expires after an hour
 *   sp:{NS}:quotas                hash     tenant -> its limits, JSON
 *   sp:{NS}:use:TENANT            hash     shape -> claims that hold or wait for a sandbox of it
 *   sp:{NS}:rate                  hash     tenant -> ms at which its token bucket is full again
 *   sp:pin:NS/TEMPLATE:TENANT:REQUEST_ID
 *                                 string   pool a claim from a template went to; expires after an hour
 *   sp:addresses                  hash     "namespace/name" of Sandbox objects without a record -> route
 *   sp:lease:NAME                 string   the replica that leads
 *   sp:{NS}/POOL:events           stream   history for watchers, about 4096 entries; kept
 *                                          ten minutes longer than a pool that vanished
 *
 * Channels carry hints only; whoever hears one, or reconnects, reads the state again:
 *   sp:wake:pools                 "NS/POOL" whose numbers changed
 *   sp:wake:reconciler            "NS/POOL" that has something to destroy
 *   sp:wake:events                "NS/POOL" whose stream grew
 *   sp:grant                      "TOKEN ID": a waiter got a sandbox; "TOKEN ": it was sent away
 */
#ifndef SANDPLANE_LIB_STATE_STATE_KEYS_H_
#define SANDPLANE_LIB_STATE_STATE_KEYS_H_

#include <stdbool.h>
#include <stddef.h>

enum {
  STATE_NAME_MAX = 63,      /* DNS label */
  STATE_POOL_NAME_MAX = 57, /* leaves room for "-xxxxx" */
  STATE_SUFFIX_LEN = 5,
  STATE_KEY_MAX = 320,
  STATE_BATCH_MAX = 1000, /* as BATCH_MAX of common.lua */
};

/* Prefix of the pool that stands for "straight from a template". */
#define STATE_IMPLICIT_POOL_PREFIX "shadow-pool-"

/* Key "sp:{ns}/pool:suffix" into out. */
void state_key_pool(char out[STATE_KEY_MAX], const char *ns, const char *pool, const char *suffix);
void state_key_template(char out[STATE_KEY_MAX], const char *ns, const char *name);
#define STATE_KEY_ADDRESSES "sp:addresses"

/* The pool of a sandbox id: false when it has no suffix. out: STATE_NAME_MAX + 1 bytes. */
bool state_pool_of(const char *id, char *out);

/* Takes apart a "namespace/name", as the sets and channels above hold it. Returns the name, which lives as long
 * as text; NULL when there is no '/' or the namespace before it has more than STATE_NAME_MAX bytes. Neither part is
 * checked otherwise. ret_ns is written only when there is a name. */
const char *state_name_split(const char *text, char ret_ns[STATE_NAME_MAX + 1]);

#endif
