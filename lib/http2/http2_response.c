/* See http2_response.h. */
#include "lib/http2/http2_response.h"

#include "lib/base/str.h"
#include "lib/http2/http2_clock.h"

/* RFC 9110, 15.2: an answer behind these follows. */
enum { FIRST_FINAL = 200 };

void http2_take_response(Http2Stream *h, bool ended) {
  Http2Session *s = h->session;
  Http2Request head;
  if (s->head.over) {
    nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, h->id, NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  int64_t status = str_leading_int64(s->head.status, 0);
  if (status < FIRST_FINAL) {
    /* any number of them may come, and none carries anything for us; the end is said by http2_spend */
    (void)!http2_spend(s, HTTP2_FLOOD_EMPTY);
    return;
  }
  if (!http2_head_finish(&s->head, &head))
    head = (Http2Request){0};
  h->answered = true;
  h->request_done = ended;
  http2_budget_earn(&s->budget);
  if (!h->owned)
    return;
  const Http2Response response = {(int)status, head.fields, head.n_fields, ended};
  s->on_response(h->owner, &response);
}
