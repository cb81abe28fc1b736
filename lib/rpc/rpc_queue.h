/* The completion queue of a loop and its one thread (internal to lib/rpc).
 *
 * gRPC reports every finished batch on a completion queue that somebody must poll. One thread does, and only
 * that: it hands each completion to the loop thread, where all state lives. All servers and channels of a
 * loop share the queue: gRPC polls one epoll set per process, so with two threads one would often read the
 * other's bytes and then have to wake it.
 *
 * A completion is an RpcOp embedded in its owner, so handing it over allocates nothing. One wake-up serves
 * all completions that gather until the loop gets to them.
 */
#ifndef SANDPLANE_LIB_RPC_RPC_QUEUE_H_
#define SANDPLANE_LIB_RPC_RPC_QUEUE_H_

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/loop/loop.h"

typedef struct RpcQueue RpcQueue;

/* The tag of a batch. fn runs on the loop thread, once per start. */
typedef struct RpcOp RpcOp;
struct RpcOp {
  RpcOp *next;
  void (*fn)(RpcOp *op, bool ok);
  bool ok;
};

/* The struct that an op is embedded in. */
#define RPC_OP_OWNER(op, type, member) ((type *)(void *)((char *)(op)-offsetof(type, member)))

/* The queue of this loop, made by the first user. */
RpcQueue *rpc_queue_acquire(Loop *loop);
/* The last user ends the thread; it waits for the batches under way, all of which must be of cancelled calls. */
void rpc_queue_release(RpcQueue *queue);
grpc_completion_queue *rpc_queue_cq(RpcQueue *queue);

/* Starts a batch; wrong use of the C core aborts. */
void rpc_queue_start(RpcQueue *queue, grpc_call *call, const grpc_op *ops, size_t n_ops, RpcOp *op);
/* Announces a completion that a function of the C core other than grpc_call_start_batch will bring. */
void rpc_queue_expect(RpcQueue *queue);
/* Completes op at the next turn of the loop (ok: true). */
void rpc_queue_post(RpcQueue *queue, RpcOp *op);

#endif
