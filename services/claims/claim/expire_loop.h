/* Ends what is past its time: claims, grants nobody confirmed, waiters.
 *
 * Every replica looks at every pool, and the script that ends is atomic, so replicas need no agreement: what
 * one has ended the other does not find. A pool is looked at when its next end is due, and soon
 * (EXPIRE_SOON_MS) after anything in it changed, which bounds how late a new, earlier end is noticed.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_EXPIRE_LOOP_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_EXPIRE_LOOP_H_

#include "services/claims/claims.h"

/* A quarter of the shortest time to live. */
enum { EXPIRE_SOON_MS = 250 };

typedef struct ExpireLoop ExpireLoop;

ExpireLoop *expire_loop_new(Claims *claims);
void expire_loop_free(ExpireLoop *loop);
/* The pool changed. */
void expire_loop_touch(ExpireLoop *loop, const char *ns, const char *pool);
/* Sets the gauges of what waits in each pool, as last looked at. */
void expire_loop_scrape(const ExpireLoop *loop, Metrics *metrics);
/* The pool is gone. */
void expire_loop_drop(ExpireLoop *loop, const char *ns, const char *pool);

#endif
