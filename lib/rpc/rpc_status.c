/* Encoding and decoding of google.rpc.Status with protobuf-c. What a peer sends is a hint, never an error of
 * its own: a status that cannot be parsed leaves code and message as they came. */
#include "lib/rpc/rpc_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "lib/base/alloc.h"

#define TYPE_PREFIX "type.googleapis.com/"
#define BAD_REQUEST_TYPE TYPE_PREFIX "google.rpc.BadRequest"
#define QUOTA_FAILURE_TYPE TYPE_PREFIX "google.rpc.QuotaFailure"
#define RETRY_INFO_TYPE TYPE_PREFIX "google.rpc.RetryInfo"

/* A delay of a day or more says nothing useful, and 32 bits hold it in milliseconds. */
#define MAX_RETRY_SECONDS 86400

static void pack_any(Google__Protobuf__Any *any, const char *type, const ProtobufCMessage *message) {
  google__protobuf__any__init(any);
  any->type_url = (char *)type;
  any->value.len = protobuf_c_message_get_packed_size(message);
  any->value.data = xcalloc(1, any->value.len);
  protobuf_c_message_pack(message, any->value.data);
}

uint8_t *rpc_status_encode(const Error *err, size_t *ret_len) {
  *ret_len = 0;
  Google__Protobuf__Any anys[2];
  Google__Protobuf__Any *details[2] = {&anys[0], &anys[1]};
  Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
  status.code = (int32_t)err->kind;
  status.message = (char *)err->message;
  status.details = details;

  Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
  Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
  Google__Rpc__BadRequest bad_request = GOOGLE__RPC__BAD_REQUEST__INIT;
  Google__Rpc__QuotaFailure__Violation over = GOOGLE__RPC__QUOTA_FAILURE__VIOLATION__INIT;
  Google__Rpc__QuotaFailure__Violation *overs[] = {&over};
  Google__Rpc__QuotaFailure quota_failure = GOOGLE__RPC__QUOTA_FAILURE__INIT;
  if (err->field[0] && err->kind == ERROR_RESOURCE_EXHAUSTED) {
    over.subject = (char *)err->field;
    over.description = (char *)err->message;
    quota_failure.n_violations = 1;
    quota_failure.violations = overs;
    pack_any(&anys[status.n_details++], QUOTA_FAILURE_TYPE, &quota_failure.base);
  } else if (err->field[0]) {
    violation.field = (char *)err->field;
    violation.description = (char *)err->message;
    bad_request.n_field_violations = 1;
    bad_request.field_violations = violations;
    pack_any(&anys[status.n_details++], BAD_REQUEST_TYPE, &bad_request.base);
  }
  Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
  Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
  if (err->retry_after_ms > 0) {
    delay.seconds = err->retry_after_ms / 1000;
    delay.nanos = (int32_t)(err->retry_after_ms % 1000) * 1000000;
    retry.retry_delay = &delay;
    pack_any(&anys[status.n_details++], RETRY_INFO_TYPE, &retry.base);
  }
  if (status.n_details == 0)
    return NULL;

  *ret_len = google__rpc__status__get_packed_size(&status);
  uint8_t *out = xcalloc(1, *ret_len);
  google__rpc__status__pack(&status, out);
  for (size_t i = 0; i < status.n_details; i++)
    free(anys[i].value.data);
  return out;
}

static void decode_bad_request(const ProtobufCBinaryData *value, Error *err) {
  Google__Rpc__BadRequest *bad = google__rpc__bad_request__unpack(NULL, value->len, value->data);
  if (!bad)
    return;
  if (bad->n_field_violations > 0) {
    snprintf(err->field, sizeof err->field, "%s", bad->field_violations[0]->field);
  }
  google__rpc__bad_request__free_unpacked(bad, NULL);
}

static void decode_quota_failure(const ProtobufCBinaryData *value, Error *err) {
  Google__Rpc__QuotaFailure *over = google__rpc__quota_failure__unpack(NULL, value->len, value->data);
  if (!over)
    return;
  if (over->n_violations > 0)
    snprintf(err->field, sizeof err->field, "%s", over->violations[0]->subject);
  google__rpc__quota_failure__free_unpacked(over, NULL);
}

static void decode_retry_info(const ProtobufCBinaryData *value, Error *err) {
  Google__Rpc__RetryInfo *retry = google__rpc__retry_info__unpack(NULL, value->len, value->data);
  if (!retry)
    return;
  const Google__Protobuf__Duration *delay = retry->retry_delay;
  if (delay && delay->seconds >= 0 && delay->seconds < MAX_RETRY_SECONDS && delay->nanos >= 0 &&
      delay->nanos < 1000000000) {
    err->retry_after_ms = (uint32_t)(delay->seconds * 1000 + delay->nanos / 1000000);
  }
  google__rpc__retry_info__free_unpacked(retry, NULL);
}

void rpc_status_decode(const uint8_t *details, size_t len, Error *err) {
  Google__Rpc__Status *status = len > 0 ? google__rpc__status__unpack(NULL, len, details) : NULL;
  if (!status)
    return;
  for (size_t i = 0; i < status->n_details; i++) {
    const Google__Protobuf__Any *any = status->details[i];
    if (!strcmp(any->type_url, BAD_REQUEST_TYPE))
      decode_bad_request(&any->value, err);
    if (!strcmp(any->type_url, QUOTA_FAILURE_TYPE))
      decode_quota_failure(&any->value, err);
    if (!strcmp(any->type_url, RETRY_INFO_TYPE))
      decode_retry_info(&any->value, err);
  }
  google__rpc__status__free_unpacked(status, NULL);
}
