/* sandplane-relay LISTEN TARGET: passes TCP connections on, byte for byte.
 *
 * `kubectl port-forward service/...` and clients that read EndpointSlices want Pods in the Service's own namespace.
 * This is the Pod of sandbox-router-svc in namespaces where the router is not: it knows no protocol, holds no secret
 * and decides nothing. A process per connection, because there are few (a person's tunnel), and one that goes wrong
 * takes nobody along.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  MAX_CONNECTIONS = 256,
  CHUNK = 64 << 10,
  /* As long as the router leaves a tunnel that is silent. */
  IDLE_MS = 3600 * 1000,
};

static volatile sig_atomic_t stopping;

static void on_term(int signo) {
  stopping = 1;
}

static void on_child(int signo) {}

static int fail(const char *what) {
  fprintf(stderr, "{\"level\":\"error\",\"event\":\"relay_failed\",\"step\":\"%s\",\"error\":\"%s\"}\n", what,
          strerror(errno));
  return -1;
}

/* address is cut at its last colon. One end of a connection: a listener, or connected to whoever answers first. */
static int open_socket(char *address, bool listens) {
  char *colon = strrchr(address, ':');
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = listens ? AI_PASSIVE : 0}, *found = NULL;
  int fd = -1, one = 1;
  if (!colon)
    return errno = EINVAL, fail("address");
  *colon = '\0';
  int rc = getaddrinfo(address, colon + 1, &hints, &found);
  *colon = ':';
  if (rc != 0)
    return errno = EHOSTUNREACH, fail("resolve");
  for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
    fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0)
      continue;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool ok = listens ? bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 128) == 0
                      : connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (ok)
      break;
    close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  return fd < 0 ? fail(listens ? "listen" : "connect") : fd;
}

/* What has come from one side goes to the other at once. 1: more may come; 0: the end, passed on; -1: broken. */
static int pass(int from, int to) {
  static char chunk[CHUNK];
  ssize_t n = read(from, chunk, sizeof chunk);
  if (n < 0)
    return errno == EINTR ? 1 : -1;
  if (n == 0)
    return shutdown(to, SHUT_WR) == 0 ? 0 : -1;
  for (ssize_t done = 0; done < n;) {
    ssize_t sent = write(to, chunk + done, (size_t)(n - done));
    if (sent < 0 && errno != EINTR)
      return -1;
    if (sent > 0)
      done += sent;
  }
  return 1;
}

/* Half-closed connections live on: a client may have said all and still wait for the answer. */
static void relay(int client, int server) {
  struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    int n = poll(ends, 2, IDLE_MS);
    if (n == 0 || (n < 0 && errno != EINTR))
      return;
    for (int i = 0; n > 0 && i < 2; i++) {
      if (!ends[i].revents)
        continue;
      int rc = pass(i ? server : client, i ? client : server);
      if (rc < 0)
        return;
      if (rc == 0)
        ends[i].fd = -1;
    }
  }
}

static void serve(int listener, int client, char *target) {
  close(listener);
  signal(SIGTERM, SIG_IGN); /* it ends with its connection, or with the Pod */
  int server = open_socket(target, false);
  if (server >= 0)
    relay(client, server);
  _exit(server < 0);
}

int main(int argc, char **argv) {
  int children = 0;
  if (argc != 3) {
    fprintf(stderr, "usage: sandplane-relay LISTEN TARGET (host:port each)\n");
    return 2;
  }
  int listener = open_socket(argv[1], true);
  if (listener < 0)
    return 1;
  signal(SIGPIPE, SIG_IGN);
  /* without SA_RESTART: both must end a wait */
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
  sigaction(SIGINT, &(struct sigaction){.sa_handler = on_term}, NULL);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_child}, NULL);
  while (!stopping) {
    while (children > 0 && waitpid(-1, NULL, children < MAX_CONNECTIONS ? WNOHANG : 0) > 0)
      children--;
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
      continue;
    pid_t pid = fork();
    if (pid == 0)
      serve(listener, client, argv[2]);
    if (pid > 0)
      children++;
    close(client);
  }
  close(listener);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
  }
  return 0;
}
