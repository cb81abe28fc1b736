/* Replicas for tests, in the test's own loop: HTTP/2 servers that answer, refuse, hold and leave as they are told. */
#ifndef SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_FIXTURE_H_
#define SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_FIXTURE_H_

#include "lib/base/buf.h"
#include "lib/http2/http2_session.h"
#include "services/router/backend/backend.h"

typedef enum PeerMode {
  PEER_ECHO,      /* the messages of the request, and OK */
  PEER_FAIL,      /* NOT_FOUND with details, in one head */
  PEER_NO_GRPC,   /* 503 and a page */
  PEER_REFUSE,    /* REFUSED_STREAM */
  PEER_HOLD,      /* no answer */
  PEER_HUGE,      /* the beginning of a message that is too large */
  PEER_HALF,      /* OK within a message */
  PEER_CANCELLED, /* the status CANCELLED */
} PeerMode;

typedef struct Peer {
  Loop *loop;
  int fd; /* listens; -1: no more */
  int port;
  LoopFd *watch;
  List conns; /* PeerConn */
  PeerMode mode;
  int accepted, requests;
  char head[512]; /* of the newest request: "PATH AUTHORITY|name: value|..." */
  size_t held;    /* bytes of bodies that were shown */
} Peer;

/* port 0: a free one. On all addresses. */
void peer_start(Peer *peer, Loop *loop, int port, PeerMode mode);
/* Its connections end at once, as those of a process that is killed. */
void peer_kill(Peer *peer);
/* GOAWAY on all connections, and new ones are taken. */
void peer_leave(Peer *peer);

/* A call that is waited for. */
typedef struct Call {
  BackendCall *call;
  bool done, hold; /* hold: no message is asked for behind the first */
  Error status;
  Buf got; /* messages, one behind the other */
  int messages, drains;
  char details[64];
  size_t details_len;
} Call;

/* Of "/s/M", with this text as the one message; NULL: none, and no half-close. timeout_ms 0: none. */
void call_start(Call *call, Backend *backend, const char *text, int64_t timeout_ms);
/* x-request-id: who, otherwise "me". */
void call_start_for(Call *call, Backend *backend, const char *who, const char *text, int64_t timeout_ms);
void call_clear(Call *call);

typedef struct Turns {
  Loop *loop;
  LoopTimer *timer;
} Turns;

void turns_start(Turns *turns);
void turns_end(Turns *turns);
/* For what is waited for in other ways. */
void turns_once(Turns *turns);
/* Runs the loop until *flag, and fails the test after 20 s. */
void turns_until(Turns *turns, const bool *flag);
/* The same until *number is n. */
void turns_until_int(Turns *turns, const int *number, int n);

#endif
