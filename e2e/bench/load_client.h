/* Unary calls on the bare C core, for load generators: one thread, one connection, one batch a call. */
#ifndef SANDPLANE_E2E_BENCH_LOAD_CLIENT_H_
#define SANDPLANE_E2E_BENCH_LOAD_CLIENT_H_

#include <stddef.h>
#include <stdint.h>

typedef struct LoadClient LoadClient;

typedef struct LoadAnswer {
  int status; /* of gRPC; 0: OK */
  const char *message;
  const uint8_t *data;
  size_t len;
  int64_t us; /* from the call to its answer */
} LoadAnswer;

/* "host:port" or "unix:/path". */
LoadClient *load_client_new(const char *target);
/* One more server; calls go to all in turn. */
void load_client_add(LoadClient *client, const char *target);
void load_client_free(LoadClient *client);
/* fn runs inside load_client_run. Waits for a connection; 60 s for all. */
void load_client_call(LoadClient *client, const char *path, const uint8_t *data, size_t len,
                      void (*fn)(void *arg, const LoadAnswer *answer), void *arg);
/* Connects to every target by a health check, so that no measured call waits for that. */
void load_client_connect(LoadClient *client);
/* Until no call is under way. */
void load_client_run(LoadClient *client);

#endif
