/* JSON lines on standard error: one event a line, {"time","level","service","event", fields...}.
 *
 * What a call went through is in its Error, and the caller logs it or not. Libraries do
 * not log: what happens outside of any call they tell whoever uses them (RedisEvents of lib/redis), and lib/service
 * logs it. Field values are escaped here; secrets are kept out by the callers. log_event(LOG_INFO, "sandbox_claimed",
 * LOG_STR("sandbox", id), LOG_INT("wait_ms", ms));
 */
#ifndef SANDPLANE_LIB_BASE_LOG_H_
#define SANDPLANE_LIB_BASE_LOG_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

typedef struct LogField {
  const char *key;
  enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL } type;
  union {
    const char *s;
    int64_t i;
    double d;
    bool b;
  };
} LogField;

#define LOG_STR(k, v) ((LogField){.key = (k), .type = LOG_FIELD_STR, .s = (v)})
#define LOG_INT(k, v) ((LogField){.key = (k), .type = LOG_FIELD_INT, .i = (v)})
#define LOG_DOUBLE(k, v) ((LogField){.key = (k), .type = LOG_FIELD_DOUBLE, .d = (v)})
#define LOG_BOOL(k, v) ((LogField){.key = (k), .type = LOG_FIELD_BOOL, .b = (v)})
/* Three fields of an Error: "code", "message", "field". */
#define LOG_ERR(e) \
  LOG_STR("code", error_kind_name((e)->kind)), LOG_STR("message", (e)->message), LOG_STR("field", (e)->field)

#define log_event(level, event, ...)                           \
  log_write((level), (event), (const LogField[]){__VA_ARGS__}, \
            sizeof((const LogField[]){__VA_ARGS__}) / sizeof(LogField))

/* Set once at start, before threads. */
void log_setup(const char *service, LogLevel min_level);
/* "debug", "info", "warn", "error"; false when it is none of them. */
bool log_level_parse(const char *s, LogLevel *ret_level);
void log_write(LogLevel level, const char *event, const LogField *fields, size_t n_fields);

#endif
