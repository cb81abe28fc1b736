/* See conn_pool.h. One list in order of age holds all, and one for each sandbox its own; a sandbox's is short, so its
 * ports are not told apart by anything but a walk. */
#include "services/router/http/conn_pool.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/map.h"
#include "lib/base/str.h"

/* Of one sandbox, while there is one: never empty, and all of one claim. */
typedef struct ConnSite {
  char *name; /* its key in the map */
  char *uid, *route;
  List conns; /* oldest first */
} ConnSite;

/* A port that serves one connection at a time. */
typedef struct SerialPort {
  ListLink link;
  char *name; /* its key in the map */
  char *uid, *route;
  int64_t since_ms;
} SerialPort;

struct ConnPool {
  ConnPoolLimits limits;
  void (*close)(void *arg, PooledConn *conn);
  void *arg;
  Map *sites;
  List all; /* oldest first */
  Map *serial_ports;
  List serial; /* the longest known first */
  size_t count;
  atomic_llong own, *count_of_all;
};

ConnPool *conn_pool_new(ConnPoolLimits limits, void (*close)(void *arg, PooledConn *conn), void *arg) {
  ConnPool *p = new0(ConnPool);
  p->limits = limits;
  p->close = close;
  p->arg = arg;
  p->count_of_all = limits.count ? limits.count : &p->own;
  p->sites = map_new();
  p->serial_ports = map_new();
  list_init(&p->all);
  list_init(&p->serial);
  return p;
}

static void site_free(ConnPool *p, ConnSite *site) {
  map_remove(p->sites, site->name);
  free(site->name);
  free(site->uid);
  free(site->route);
  free(site);
}

void conn_pool_remove(ConnPool *p, PooledConn *conn) {
  ConnSite *site = conn->site;
  list_remove(&conn->of_site);
  list_remove(&conn->of_all);
  conn->site = NULL;
  p->count--;
  atomic_fetch_sub(p->count_of_all, 1);
  if (list_is_empty(&site->conns))
    site_free(p, site);
}

static void drop(ConnPool *p, PooledConn *conn) {
  conn_pool_remove(p, conn);
  p->close(p->arg, conn);
}

static PooledConn *oldest(const ConnPool *p) {
  ListLink *link = list_first(&p->all);
  return link ? CONTAINER_OF(link, PooledConn, of_all) : NULL;
}

static void serial_free(ConnPool *p, SerialPort *port) {
  list_remove(&port->link);
  map_remove(p->serial_ports, port->name);
  free(port->name);
  free(port->uid);
  free(port->route);
  free(port);
}

void conn_pool_free(ConnPool *p) {
  if (!p)
    return;
  for (PooledConn *conn; (conn = oldest(p));)
    drop(p, conn);
  LIST_EACH(SerialPort, port, &p->serial, link)
  serial_free(p, port);
  map_free(p->serial_ports);
  map_free(p->sites);
  free(p);
}

/* A namespace is a DNS label, so the slash tells the two apart. */
static char *site_name(const char *ns, const char *id) {
  return str_printf("%s/%s", ns, id);
}

static ConnSite *find(const ConnPool *p, const char *ns, const char *id) {
  CLEANUP(str_freep) char *name = site_name(ns, id);
  return map_get(p->sites, name);
}

static bool is_of(const ConnSite *site, const ConnKey *key) {
  return str_equal(site->uid, key->uid) && str_equal(site->route, key->route);
}

/* port 0: of any. The last of them may free the site. */
static size_t drop_of(ConnPool *p, ConnSite *site, uint16_t port) {
  size_t n = 0;
  LIST_EACH(PooledConn, conn, &site->conns, of_site) {
    if (port != 0 && conn->port != port)
      continue;
    drop(p, conn);
    n++;
  }
  return n;
}

static char *port_name(const ConnKey *key) {
  return str_printf("%s/%s:%u", key->ns, key->id, (unsigned)key->port);
}

/* NULL: not known, or no longer, or it was another claim's. */
static SerialPort *find_serial(ConnPool *p, const ConnKey *key, int64_t now_ms) {
  if (list_is_empty(&p->serial))
    return NULL;
  CLEANUP(str_freep) char *name = port_name(key);
  SerialPort *port = map_get(p->serial_ports, name);
  bool holds = port && str_equal(port->uid, key->uid) && str_equal(port->route, key->route) &&
               now_ms - port->since_ms < CONN_POOL_SERIAL_MS;
  if (port && !holds)
    serial_free(p, port);
  return holds ? port : NULL;
}

void conn_pool_note_serial(ConnPool *p, const ConnKey *key, int64_t now_ms) {
  conn_pool_clear(p, key);
  SerialPort *port = find_serial(p, key, now_ms);
  if (port)
    serial_free(p, port);
  if (map_count(p->serial_ports) >= CONN_POOL_SERIAL_MAX)
    serial_free(p, CONTAINER_OF(list_first(&p->serial), SerialPort, link));
  port = new0(SerialPort);
  *port =
      (SerialPort){.name = port_name(key), .uid = str_dup(key->uid), .route = str_dup(key->route), .since_ms = now_ms};
  map_put(p->serial_ports, port->name, port);
  list_append(&p->serial, &port->link);
}

static bool is_quiet(const ConnPool *p, const PooledConn *conn, int64_t now_ms) {
  return now_ms - conn->since_ms >= p->limits.quiet_ms;
}

PooledConn *conn_pool_take(ConnPool *p, const ConnKey *key, int64_t now_ms) {
  ConnSite *site = find(p, key->ns, key->id);
  if (!site || !is_of(site, key))
    return NULL;
  LIST_EACH(PooledConn, conn, &site->conns, of_site) {
    if (conn->port != key->port)
      continue;
    if (!is_quiet(p, conn, now_ms))
      return NULL; /* and those behind it are younger */
    conn_pool_remove(p, conn);
    return conn;
  }
  return NULL;
}

static ConnSite *site_new(ConnPool *p, const ConnKey *key) {
  ConnSite *site = new0(ConnSite);
  site->name = site_name(key->ns, key->id);
  site->uid = str_dup(key->uid);
  site->route = str_dup(key->route);
  list_init(&site->conns);
  map_put(p->sites, site->name, site);
  return site;
}

/* The longest idle one of the port when it has as many as it may; NULL: it has fewer. */
static PooledConn *surplus(const ConnPool *p, const ConnSite *site, uint16_t port) {
  PooledConn *first = NULL;
  int64_t n = 0;
  LIST_EACH(PooledConn, conn, &site->conns, of_site) {
    if (conn->port != port)
      continue;
    n++;
    if (!first)
      first = conn;
  }
  return n >= p->limits.per_port ? first : NULL;
}

void conn_pool_put(ConnPool *p, const ConnKey *key, PooledConn *conn, int64_t now_ms) {
  ConnSite *site = find(p, key->ns, key->id);
  bool none = p->limits.per_port == 0 || p->limits.in_all == 0 || find_serial(p, key, now_ms);
  /* which of two claims is the newer one only the state knows, and the next request asks it */
  if (none || (site && !is_of(site, key))) {
    p->close(p->arg, conn);
    return;
  }
  PooledConn *over = site ? surplus(p, site, key->port) : NULL;
  bool full = !over && atomic_load(p->count_of_all) >= p->limits.in_all;
  if (full)
    over = oldest(p);
  /* what is full may be so by the connections of other pools alone */
  if (over ? !is_quiet(p, over, now_ms) : full) {
    p->close(p->arg, conn);
    return;
  }
  if (over) {
    /* it may be the site's last */
    drop(p, over);
    site = find(p, key->ns, key->id);
  }
  if (!site)
    site = site_new(p, key);
  *conn = (PooledConn){.site = site, .port = key->port, .since_ms = now_ms};
  list_append(&site->conns, &conn->of_site);
  list_append(&p->all, &conn->of_all);
  p->count++;
  /* another pool has taken the last place in the same moment */
  if (atomic_fetch_add(p->count_of_all, 1) >= p->limits.in_all)
    drop(p, conn);
}

void conn_pool_settle(ConnPool *p, const ConnKey *key) {
  ConnSite *site = find(p, key->ns, key->id);
  if (site && !is_of(site, key))
    drop_of(p, site, 0);
}

void conn_pool_forget(ConnPool *p, const char *ns, const char *id) {
  ConnSite *site = find(p, ns, id);
  if (site)
    drop_of(p, site, 0);
}

size_t conn_pool_clear(ConnPool *p, const ConnKey *key) {
  ConnSite *site = find(p, key->ns, key->id);
  return site ? drop_of(p, site, key->port) : 0;
}

int64_t conn_pool_expire(ConnPool *p, int64_t now_ms) {
  for (PooledConn *conn; (conn = oldest(p));) {
    int64_t left = conn->since_ms + p->limits.idle_ms - now_ms;
    if (left > 0)
      return left;
    drop(p, conn);
  }
  return -1;
}

size_t conn_pool_count(const ConnPool *p) {
  return p->count;
}
