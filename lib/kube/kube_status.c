/* See kube_status.h. */
#include "lib/kube/kube_status.h"

#include "lib/base/str.h"

static ErrorKind kind_of(int status, const char *reason) {
  switch (status) {
  case 400:
  case 413:
  case 415:
  case 422:
    return ERROR_INVALID_ARGUMENT;
  case 401:
    return ERROR_UNAUTHENTICATED;
  case 403:
    return ERROR_PERMISSION_DENIED;
  case 404:
    return ERROR_NOT_FOUND;
  case 405:
    return ERROR_UNIMPLEMENTED;
  case 409:
    return str_equal(reason, "AlreadyExists") ? ERROR_ALREADY_EXISTS : ERROR_ABORTED;
  case 410:
    return ERROR_OUT_OF_RANGE;
  case 429:
    return ERROR_RESOURCE_EXHAUSTED;
  default:
    return status >= 500 || status == 0 ? ERROR_UNAVAILABLE : ERROR_UNKNOWN;
  }
}

/* A namespace that goes takes seconds for it; until then nothing can be made in it, and trying at once is in vain. */
#define NAMESPACE_GOES_MS 5000

static bool says_namespace_goes(const json_t *body) {
  size_t i;
  json_t *cause;
  json_array_foreach(kube_get(body, "details.causes"), i, cause) {
    if (str_equal(kube_text(cause, "reason"), "NamespaceTerminating"))
      return true;
  }
  return false;
}

void kube_status_error(Error *err, int http_status, const json_t *body, const char *what) {
  const char *message = kube_text(body, "message"), *reason = kube_text(body, "reason");
  ErrorKind kind = kind_of(http_status, reason);
  if (message)
    error_set(err, kind, "%s", message);
  else
    error_set(err, kind, "%s: HTTP status %d", what, http_status);
  int64_t retry_s = kube_int(body, "details.retryAfterSeconds", 0);
  if (http_status == 403 && says_namespace_goes(body))
    err->retry_after_ms = NAMESPACE_GOES_MS;
  if (retry_s > 0)
    err->retry_after_ms = (uint32_t)(retry_s > 3600 ? 3600 : retry_s) * 1000;
}
