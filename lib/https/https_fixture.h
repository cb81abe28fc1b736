/* A server on a thread of its own, and a plain blocking client for it. The server's time stands still until the test
 * lets it pass, so that a deadline is exact and never a matter of the machine's speed. */
#ifndef SANDPLANE_LIB_HTTPS_HTTPS_FIXTURE_H_
#define SANDPLANE_LIB_HTTPS_HTTPS_FIXTURE_H_

#include <pthread.h>
#include <stdbool.h>

#include "lib/https/https_server.h"

#define FIXTURE_NAME "hook.test"

enum { FIXTURE_MAX_BODY = 64 << 10, FIXTURE_REQUEST_MS = 700, FIXTURE_IDLE_MS = 1500, FIXTURE_CONNECTIONS = 64 };

typedef struct FixturePair {
  Buf cert, key;
} FixturePair;

typedef struct HttpsFixture {
  Loop *loop;
  HttpsServer *server;
  uint16_t port;
  pthread_t thread;
  /* An authority and two certificates of it. */
  FixturePair ca, first, second;
} HttpsFixture;

/* With /echo (POST), /big (GET, 8 MiB), /text (GET, and PUT, which answers 201). */
HttpsFixture *fixture_start(int max_connections);
void fixture_stop(HttpsFixture *f);
/* Runs fn(arg) on the loop and waits for its end. */
void fixture_on_loop(HttpsFixture *f, void (*fn)(void *arg), void *arg);
/* The server has read what was sent to it before, and written what it had to say to that. */
void fixture_settle(HttpsFixture *f);
/* Settles; then lets that much time pass; and settles again. */
void fixture_pass_time(HttpsFixture *f, int64_t ms);

typedef struct Client {
  int fd;
  struct ssl_st *ssl;
} Client;

/* A TCP connection; reads give up after a minute, and the test with them. */
int client_dial(const HttpsFixture *f);
/* With TLS, verified against the fixture's authority and name. versions: 0, or the only one to offer. */
Client client_open(const HttpsFixture *f, int version);
/* As client_open; false when the handshake fails. */
bool client_try(const HttpsFixture *f, int version, Client *ret_client);
void client_close(Client *c);
void client_send(Client *c, const char *data, size_t len);
/* The status of the answer, its head and body (NULL: not wanted); 0 when the connection ends instead. */
int client_read(Client *c, Buf *head, Buf *body);
/* Sends a request of that method, path and body, and reads the answer. */
int client_ask(Client *c, const char *method, const char *path, const char *body, Buf *ret_body);
/* Whether the server has ended the connection; what came before the end is dropped. Does not wait. */
bool client_ended(Client *c);
/* Whether there are bytes to read. Does not wait. */
bool client_has_input(const Client *c);
/* Reads until the server has ended the connection. */
void client_wait_end(Client *c);
/* The serial number of the server's certificate, as text to be freed. */
char *client_serial(const Client *c);

#endif
