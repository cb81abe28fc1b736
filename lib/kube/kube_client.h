/* Requests to a Kubernetes API server: one multiplexed HTTP/2 connection (libcurl), asynchronous on the loop.
 *
 * A request ends exactly once, in its callback on the loop, with the object it answered or with an error. It
 * is never repeated by itself: who asks knows whether that is right. Errors by status, after the API
 * conventions: 400, 413, 422 INVALID_ARGUMENT; 401 UNAUTHENTICATED; 403 PERMISSION_DENIED; 404 NOT_FOUND; 409
 * AlreadyExists ALREADY_EXISTS, else ABORTED (a conflict); 410 OUT_OF_RANGE (expired); 429 RESOURCE_EXHAUSTED; 5xx and
 * what fails on the way UNAVAILABLE; no answer in time DEADLINE_EXCEEDED. retry_after_ms is the server's Retry-After.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_CLIENT_H_
#define SANDPLANE_LIB_KUBE_KUBE_CLIENT_H_

#include "lib/kube/kube_config.h"
#include "lib/kube/kube_object.h"
#include "lib/loop/loop.h"

typedef struct KubeClient KubeClient;
typedef struct KubeCall KubeCall;

typedef struct KubeOptions {
  const char *user_agent;
  double qps;         /* requests a second, watches not counted; 0: no limit */
  int burst;          /* of qps; at least 1 */
  int max_in_flight;  /* further requests wait in order; 0: KUBE_IN_FLIGHT */
  int64_t timeout_ms; /* of a request; 0: KUBE_TIMEOUT_MS */
  /* Seen by whoever counts: method, status (0: none came), time it took. May be NULL. */
  void (*on_done)(void *arg, const char *method, const char *path, long status, int64_t took_us);
  /* How long one that is no watch has waited for its turn, when it begins. May be NULL. */
  void (*on_begin)(void *arg, const char *method, int64_t waited_us);
  /* Asked at the last moment before a fenced request goes out, however long it has waited: false ends it with
   * UNAVAILABLE, unsent. A process that was stopped for a while must not go on writing as if it had not. NULL: yes. */
  bool (*may_write)(void *arg);
  void *arg;
} KubeOptions;

enum {
  KUBE_IN_FLIGHT = 64, /* of the 100 streams that an API server allows a connection; the rest are watches */
  KUBE_TIMEOUT_MS = 30000,
  KUBE_PATIENT_BESIDE = 2,
  KUBE_PATIENT_MS = 20,     /* the moment */
  KUBE_LINE_MAX = 16 << 20, /* an object is at most 1.5 MiB in etcd; JSON of it is larger */
  KUBE_BODY_MAX = 256 << 20,
};

/* The config is borrowed for the client's life. */
KubeClient *kube_client_new(Loop *loop, const KubeConfig *config, const KubeOptions *options, Error *err);
/* Ends all calls with CANCELLED first. Not inside a callback of one of its calls. NULL-safe. */
void kube_client_free(KubeClient *client);
/* No call of it runs or waits for its turn. */
bool kube_client_is_idle(const KubeClient *client);
/* How far the API server's clock is before ours, by the Date of its last answer: what is certain, so that its whole
 * seconds and the answer's way give 0 for clocks that agree. false: it has said no time yet. */
bool kube_client_skew(const KubeClient *client, int64_t *ret_ms);

typedef struct KubeRequest {
  const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE" */
  const char *path;   /* "/apis/..." and query, percent-encoded */
  const json_t *body; /* borrowed until kube_request returns; NULL: none */
  /* NULL: "application/json", for PATCH "application/merge-patch+json". */
  const char *content_type;
  int64_t timeout_ms; /* 0: the client's */
  bool urgent;        /* does not wait for its turn, whatever the limits are: a lease that is late is lost */
  bool fenced;        /* only while options.may_write says so */
  /* Nobody waits for it: while there are others, and a moment longer, only KUBE_PATIENT_BESIDE such are in flight. */
  bool patient;
} KubeRequest;

/* object: borrowed until the callback returns (json_incref keeps it); NULL with an error. */
typedef void (*KubeDoneFn)(void *arg, json_t *object, const Error *err);
/* fn may be called before kube_request returns only with CANCELLED or INVALID_ARGUMENT (never otherwise). */
void kube_request(KubeClient *client, const KubeRequest *request, KubeDoneFn fn, void *arg);

/* A response that is a stream of JSON values, one a line: a watch. on_line borrows the value. on_end comes once
 * (err NULL: the server ended it), never after kube_stream_cancel. */
typedef struct KubeStreamEvents {
  void (*on_line)(void *arg, json_t *value);
  void (*on_end)(void *arg, const Error *err);
} KubeStreamEvents;
KubeCall *kube_stream(KubeClient *client, const char *path, const KubeStreamEvents *events, void *arg);
/* NULL-safe. Allowed inside on_line. */
void kube_stream_cancel(KubeCall *call);

#endif
