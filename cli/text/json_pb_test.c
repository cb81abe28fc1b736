/* Messages of the API as JSON. */
#include "cli/text/json_pb.h"

#include <stdlib.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "lib/base/test.h"

static void expect(const void *message, const char *json) {
  char *text = json_pb_text(message);
  assert_string_equal(text, json);
  free(text);
}

static void a_sandbox(void **state) {
  Sandplane__V1__Sandbox__LabelsEntry label = SANDPLANE__V1__SANDBOX__LABELS_ENTRY__INIT;
  label.key = "team";
  label.value = "a \"b\"";
  Sandplane__V1__Sandbox__LabelsEntry *labels[] = {&label};
  Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  time.seconds = 1;
  time.nanos = 500000000;
  Google__Protobuf__Duration idle = GOOGLE__PROTOBUF__DURATION__INIT;
  idle.seconds = 90;
  Sandplane__V1__Sandbox box = SANDPLANE__V1__SANDBOX__INIT;
  box.name = "namespaces/default/sandboxes/x-abcde";
  box.state = SANDPLANE__V1__SANDBOX__STATE__CLAIMED;
  box.labels = labels;
  box.n_labels = 1;
  box.claim_time = &time;
  box.idle_timeout = &idle;
  expect(&box, "{\"name\":\"namespaces/default/sandboxes/"
               "x-abcde\",\"state\":\"CLAIMED\",\"labels\":{\"team\":\"a \\\"b\\\"\"},"
               "\"claimTime\":\"1970-01-01T00:00:01.500Z\",\"idleTimeout\":\"90s\"}");
}

static void numbers_bytes_and_choices(void **state) {
  Sandplane__V1__FileInfo file = SANDPLANE__V1__FILE_INFO__INIT;
  file.path = "big";
  file.size_bytes = 5000000000;
  file.mode = 0644;
  expect(&file, "{\"path\":\"big\",\"sizeBytes\":\"5000000000\",\"mode\":420}");
  Sandplane__V1__ExecStreamResponse answer = SANDPLANE__V1__EXEC_STREAM_RESPONSE__INIT;
  answer.response_case = SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STDERR;
  answer.stderr = (ProtobufCBinaryData){.data = (uint8_t *)"hi", .len = 2};
  expect(&answer, "{\"stderr\":\"aGk=\"}");
}

static void durations(void **state) {
  Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;
  Sandplane__V1__Sandbox box = SANDPLANE__V1__SANDBOX__INIT;
  box.wait_duration = &d;
  expect(&box, "{\"waitDuration\":\"0s\"}");
  d.nanos = 1500000;
  expect(&box, "{\"waitDuration\":\"0.001500s\"}");
  d.nanos = 20000000;
  expect(&box, "{\"waitDuration\":\"0.020s\"}");
  d.nanos = 1;
  expect(&box, "{\"waitDuration\":\"0.000000001s\"}");
  d.seconds = -2;
  d.nanos = -500000000;
  expect(&box, "{\"waitDuration\":\"-2.500s\"}");
}

static void nothing(void **state) {
  Sandplane__V1__ListSandboxesResponse empty = SANDPLANE__V1__LIST_SANDBOXES_RESPONSE__INIT;
  expect(&empty, "{}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sandbox),
      cmocka_unit_test(numbers_bytes_and_choices),
      cmocka_unit_test(durations),
      cmocka_unit_test(nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
