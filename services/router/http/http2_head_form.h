/* Heads of HTTP/2 in the form of HTTP/1.1, by which requests are judged and passed on, and back. No I/O. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP2_HEAD_FORM_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP2_HEAD_FORM_H_

#include "lib/http/http_reader.h"
#include "lib/http2/http2_request.h"

/* fields: room for one more than the request has. The head points to both. Its method is one of those that the reader
 * of HTTP/1.1 knows, and static; false: it knows no such, the rest is there. */
bool http2_request_head(const Http2Request *request, HttpHeader *fields, HttpHead *ret_head) MUST_CHECK;
/* Of an answer, what is passed on; length: room for the text of one of them. fields: room for one more than the head
 * has. How many. */
size_t http2_answer_fields(const HttpHead *head, Http2Field *fields, char length[24]);

#endif
