/* Attributes used all over the code, and nothing else. */
#ifndef SANDPLANE_LIB_BASE_COMPILER_H_
#define SANDPLANE_LIB_BASE_COMPILER_H_

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
/* Runs fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
/* Defines `static void name(type *p)`, a cleanup function that calls fn(*p); fn must accept NULL. */
#define DEFINE_CLEANUP(type, name, fn) \
  static inline void name(type *p) {   \
    fn(*p);                            \
  }

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
