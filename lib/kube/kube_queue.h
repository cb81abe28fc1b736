/* Work by object name: each is worked on by one pass at a time, however often it is added.
 *
 * A name added during its pass gets another pass after it. Failed passes are repeated after a pause that doubles, 5 ms
 * to 5 minutes, each name for itself; any other end forgets the failures.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_QUEUE_H_
#define SANDPLANE_LIB_KUBE_KUBE_QUEUE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop/loop.h"

typedef struct KubeQueue KubeQueue;
typedef struct KubeTask KubeTask;

enum { KUBE_BACKOFF_MIN_MS = 5, KUBE_BACKOFF_MAX_MS = 300000 };

/* work starts a pass, which ends with exactly one kube_task_done or kube_task_failed, at once or later. */
KubeQueue *kube_queue_new(Loop *loop, int concurrency,
                          void (*work)(void *arg, KubeTask *task, const char *ns, const char *name), void *arg);
/* No pass may be under way any more (they end when the client is freed). NULL-safe. */
void kube_queue_free(KubeQueue *queue);
void kube_queue_add(KubeQueue *queue, const char *ns, const char *name);
/* After ms; an earlier time that is set already stays. */
void kube_queue_add_after(KubeQueue *queue, const char *ns, const char *name, int64_t ms);
/* While held, a name gets no pass, however often it is added; one that is under way goes on. Let go, it gets one.
 * Holding it twice is holding it once. */
void kube_queue_hold(KubeQueue *queue, const char *ns, const char *name, bool held);
/* Starts no pass until it is resumed: for a replica that does not lead. */
void kube_queue_pause(KubeQueue *queue, bool paused);
size_t kube_queue_length(const KubeQueue *queue); /* waiting for a pass now */
size_t kube_queue_running(const KubeQueue *queue);

void kube_task_done(KubeTask *task);
void kube_task_done_again(KubeTask *task, int64_t ms);
/* at_least_ms: a Retry-After; 0. */
void kube_task_failed(KubeTask *task, int64_t at_least_ms);

#endif
