/* Parameters of a header field, as forms have them: `form-data; name="file"; filename*=utf-8''...` (RFC 2045, 5987,
 * 7578). */
#ifndef SANDPLANE_RUNTIME_PROCESS_DISPOSITION_H_
#define SANDPLANE_RUNTIME_PROCESS_DISPOSITION_H_

#include <stdbool.h>
#include <stddef.h>

/* The value of a parameter, without quotes and their backslashes. False: there is none, or it does not fit. */
bool disposition_parameter(const char *header, const char *name, char *out, size_t max);
/* The name of a part's file, as UTF-8: of `filename*` rather than of `filename`, if that is in a character set that is
 * known here (UTF-8 and ISO 8859-1); bytes that are no UTF-8 are taken for ISO 8859-1, and of a path of Windows the
 * last part is taken. False: it has none, or it does not fit. */
bool disposition_filename(const char *header, char *out, size_t max);

#endif
