/* A scripted API server on the test's own loop: plain HTTP/1.1 on the loopback, one request a connection (but for those
 * kept).
 *
 * A test is a straight script: it asks for the next request, answers it, and asks for the next. While it waits,
 * the loop runs, and with it the client under test. What waits for a fact has no end of its own: the test's time
 * limit ends it.
 */
#ifndef SANDPLANE_LIB_KUBE_TESTING_STUB_SERVER_FIXTURE_H_
#define SANDPLANE_LIB_KUBE_TESTING_STUB_SERVER_FIXTURE_H_

#include "lib/base/buf.h"
#include "lib/kube/kube_client.h"
#include "lib/loop/loop.h"

typedef struct StubServer StubServer;

typedef struct StubRequest {
  char *method, *path; /* with the query */
  char *head;          /* all header lines */
  char *body;
  bool closed; /* by the client */
  /* private */
  StubServer *server;
  struct StubRequest *next;
  int fd;
  LoopFd *watch;
  Buf in, out;
  bool ending;
} StubRequest;

StubServer *stub_server_new(Loop *loop);
void stub_server_free(StubServer *server); /* and all its requests */
Loop *stub_server_loop(StubServer *server);
/* Of a client of this server; owned by it. */
KubeConfig *stub_server_config(StubServer *server);

/* Runs the loop until a request is there; requests come in the order of their arrival. */
StubRequest *stub_next(StubServer *server);
/* The same, and checks the method and how the path begins. */
StubRequest *stub_expect(StubServer *server, const char *method, const char *path);
/* Requests that have arrived and were not taken. */
int stub_waiting(StubServer *server);

/* A whole answer; headers: more lines, each with "\r\n", or NULL. The request is gone after it. */
void stub_answer(StubRequest *r, int status, const char *headers, const char *body);
/* Keeps the connection, on which the next request may come, as this same r. */
void stub_answer_and_keep(StubRequest *r, const char *body);
/* An answer in parts (a watch): headers, parts, the end. */
void stub_begin(StubRequest *r, int status);
void stub_send(StubRequest *r, const char *text);
void stub_end(StubRequest *r);
/* Closes without an end: the head promises more than was sent. */
void stub_break(StubRequest *r);

/* Time is held from here on, and passes to the next timer whenever this client has nothing under way and what it asked
 * was taken: what waits is replayed, however long it would be. Before any timer of the loop is started. */
void stub_hold_time(StubServer *server, const KubeClient *client);
/* Runs the loop until stub_wake, or for ms. */
void stub_turn(StubServer *server);
void stub_wake(StubServer *server);
void stub_run_for(StubServer *server, int64_t ms);
#define STUB_UNTIL(server, condition) \
  do {                                \
    while (!(condition)) {            \
      stub_turn(server);              \
    }                                 \
  } while (0)

#endif
