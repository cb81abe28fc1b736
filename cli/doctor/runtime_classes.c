/* The isolation that templates and sandboxes ask for. */
#include "cli/doctor/doctor.h"

typedef struct Use {
  Doctor *d;
  json_t *classes; /* as the cluster has them: name -> the object */
  json_t *missing; /* name -> who first asks for it */
  size_t n, n_without;
} Use;

static void look(Use *u, const char *kind, const json_t *object) {
  const char *class = kube_text(object, "spec.podTemplate.spec.runtimeClassName");
  u->n++;
  if (!class)
    u->n_without++;
  else if (!json_object_get(u->classes, class) && !json_object_get(u->missing, class))
    json_object_set_new(u->missing, class, json_string(doctor_text(u->d, "%s %s", kind, doctor_id(u->d, object))));
}

/* 0; -1: the list cannot be read. */
static int look_at_all(Use *u, const char *group, const char *plural, const char *kind, Error *err) {
  size_t i;
  json_t *object;
  json_t *items = doctor_list(u->d, group, plural, err);
  json_array_foreach(items, i, object) look(u, kind, object);
  return items ? 0 : -1;
}

static void report(Use *u) {
  const char *class;
  json_t *user;
  json_object_foreach(u->missing, class, user)
      doctor_report(u->d, DOCTOR_PROBLEM,
                    "install that runtime and its RuntimeClass (for gVisor: handler runsc); "
                    "without it these Pods are refused",
                    "RuntimeClass %s does not exist, and %s asks for it", class, json_string_value(user));
  if (!json_object_size(u->missing))
    doctor_report(u->d, DOCTOR_OK, NULL,
                  "every RuntimeClass asked for exists; %zu of %zu templates and sandboxes ask "
                  "for none",
                  u->n_without, u->n);
}

void doctor_runtime_classes(Doctor *d) {
  Error err = {0};
  size_t i;
  json_t *class;
  Use u = {.d = d, .classes = json_object(), .missing = json_object()};
  json_t *classes = doctor_list_in(d, "/apis/node.k8s.io/v1", NULL, "runtimeclasses", &err);
  json_array_foreach(classes, i, class) json_object_set(u.classes, kube_name(class), class);
  if (!classes)
    doctor_failed(d, "RuntimeClasses", &err);
  else if (look_at_all(&u, "/apis/extensions.agents.x-k8s.io/v1beta1", "sandboxtemplates", "SandboxTemplate", &err) !=
               0 ||
           look_at_all(&u, "/apis/agents.x-k8s.io/v1beta1", "sandboxes", "Sandbox", &err) != 0) {
    if (err.kind == ERROR_NOT_FOUND)
      doctor_report(d, DOCTOR_SKIPPED, NULL, "not looked at: it depends on definitions, see above");
    else
      doctor_failed(d, "SandboxTemplates and Sandboxes", &err);
  } else
    report(&u);
  json_decref(u.classes);
  json_decref(u.missing);
}
