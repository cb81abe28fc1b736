/* See event_recorder.h. */
#include "services/reconciler/kubernetes/cluster/event_recorder.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/log.h"
#include "lib/base/str.h"

static void on_told(void *arg, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_DEBUG, "event_not_recorded", LOG_ERR(err));
}

void event_record(Cluster *c, const EventNote *n) {
  const char *ns = kube_namespace(n->about), *name = kube_name(n->about);
  char suffix[17], at[40], text[1024];
  struct timespec now;
  struct tm tm;
  random_name_suffix(suffix, 16);
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &tm);
  size_t len = strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(at + len, sizeof at - len, ".%06ldZ", now.tv_nsec / 1000);
  snprintf(text, sizeof text, "%s", n->note ? n->note : "");
  str_repair_utf8(text);
  size_t cut = strnlen(name, 200);
  while (cut > 0 && (name[cut - 1] == '.' || name[cut - 1] == '-'))
    cut--; /* cut at a place where a label cannot end */
  CLEANUP(str_freep) char *event_name = str_printf("%.*s.%s", (int)cut, name, suffix);
  KUBE_OWNED json_t *event =
      json_pack("{s:s,s:s,s:{s:s,s:s},s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s,s:s*}}", "apiVersion",
                "events.k8s.io/v1", "kind", "Event", "metadata", "name", event_name, "namespace", ns, "eventTime", at,
                "reportingController", n->controller, "reportingInstance", n->controller, "action", n->action, "reason",
                n->reason, "type", n->warning ? "Warning" : "Normal", "note", text, "regarding", "apiVersion",
                n->api_version, "kind", n->kind, "namespace", ns, "name", name, "uid", kube_uid(n->about),
                "resourceVersion", kube_text(n->about, "metadata.resourceVersion"));
  c->api->tell(c, ns, event, on_told, NULL);
}
