/* A server on a thread of its own, and a plain blocking client for it. */
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

typedef struct Client {
  int fd;
  struct ssl_st *ssl;
} Client;

/* A TCP connection; reads give up after five seconds. */
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
/* Milliseconds until the server ends the connection; -1: it did not within five seconds. */
int client_wait_end(Client *c);
/* The serial number of the server's certificate, as text to be freed. */
char *client_serial(const Client *c);

#endif
