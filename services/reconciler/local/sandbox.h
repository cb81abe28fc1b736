/* One sandbox of this machine, from its folder to its end.
 *
 *   STARTING -> READY -> ENDING -> gone,  STARTING -> ENDING -> gone
 *
 * Everything of it lies in one folder and one control group: whoever empties the group and removes the folder
 * has destroyed it, whatever became of the process that made it. sandbox.json in the folder is written before
 * anything is started, so that a later start of this program finds all there is.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SANDBOX_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SANDBOX_H_

#include "services/reconciler/backend.h"
#include "services/reconciler/local/isolation.h"

typedef struct Sandbox Sandbox;

typedef struct SandboxHandlers {
  void (*on_ready)(void *arg, Sandbox *s);
  /* It ended by itself or never came up; its remains are cleared away, on_gone follows. */
  void (*on_ended)(void *arg, Sandbox *s, const char *reason, const char *message);
  /* Nothing of it is left; the Sandbox is freed after it. */
  void (*on_gone)(void *arg, Sandbox *s);
} SandboxHandlers;

typedef struct SandboxSite {
  Loop *loop;
  CgroupTree *cgroups;
  const char *folder; /* of all sandboxes */
  int64_t start_timeout_ms;
  SandboxHandlers handlers;
  /* Of a class; NULL: it does not work any more. For sandboxes that are found. */
  const Isolation *(*isolation_of)(void *arg, const char *class_name);
  void *arg;
} SandboxSite;

/* Makes a record; nothing is started. what: copied. */
Sandbox *sandbox_new(const SandboxSite *site, const BackendSandbox *what);
/* From a folder of an earlier run: READY when its process still lives, else something to be ended. NULL: there is
 * no sandbox.json that can be read. */
Sandbox *sandbox_load(const SandboxSite *site, const char *folder_name);
/* Begins. plan's dir and cgroup are filled here. Failures come by on_ended. */
void sandbox_start(Sandbox *s, const Isolation *isolation, SandboxPlan *plan);
/* Begins to destroy it, in any state. */
void sandbox_end(Sandbox *s);
bool sandbox_starting(const Sandbox *s);
bool sandbox_ending(const Sandbox *s);
BackendSandbox sandbox_view(const Sandbox *s);
/* Whether it runs, or may run, on this image. */
bool sandbox_uses_image(const Sandbox *s, const char *digest);
/* The user of the machine that it has (SandboxPlan); 0: none. */
uid_t sandbox_host_uid(const Sandbox *s);
/* For the list that its owner keeps. */
Sandbox **sandbox_next(Sandbox *s);
/* Stops watching; the sandbox itself lives on. */
void sandbox_forget(Sandbox *s);

#endif
