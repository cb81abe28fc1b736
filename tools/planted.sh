#!/usr/bin/env bash
# planted.sh GATE...: the gate `planted` of tools/check. A gate that cannot fail is worth nothing: a copy of what the gates need,
# with one small package, passes all of them; with a fault for each in it, each fails and names the file. The copy has its own
# Bazel server, and the packages that were unpacked for the real tree.
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/lib.sh"

copy=$(mktemp -d "${TMPDIR:-/tmp}/planted.XXXXXX")
mkdir "$copy/tree"
external=$(bazel info output_base 2>/dev/null)/external

# by the trap
# shellcheck disable=SC2317
end_copy() {
  [ ! -x "$copy/tree/tools/check" ] || (cd "$copy/tree" && bazel shutdown) >/dev/null 2>&1
  chmod -R u+w "$copy" && rm -rf "$copy"
}
trap end_copy EXIT

# plant FILE: its text from stdin
plant() { mkdir -p "$(dirname "$copy/tree/$1")" && cat >"$copy/tree/$1"; }

bazel build --noshow_progress --show_result=0 --ui_event_filters=-info @lint//:bin/shellcheck @toolchain//:bin/clang-tidy @libs//:cmocka
cp -a --parents .clang-format .clang-tidy .bazelrc .bazelignore WORKSPACE ruff.toml e2e/requirements.txt locks tools/check tools/lib.sh tools/planted.sh \
  build_defs/BUILD.bazel build_defs/cc build_defs/deb build_defs/run build_defs/tidy \
  third_party/cov third_party/debs third_party/rules_cc third_party/rules_java lib/base/test.h "$copy/tree"
{
  echo "startup --output_base=$copy/base --max_idle_secs=60"
  for repository in lint toolchain libs; do echo "build --override_repository=$repository=$external/$repository"; done
} >>"$copy/tree/.bazelrc"
plant BUILD.bazel <<'END'
exports_files([".clang-tidy"])
END

# what every test program stands on, without what its functions need
plant lib/base/BUILD.bazel <<'END'
load("//build_defs/cc:rules.bzl", "sp_library")

sp_library(
    name = "test",
    testonly = True,
    hdrs = ["test.h"],
    visibility = ["//visibility:public"],
    deps = ["@libs//:cmocka"],
)
END

# the package as it should be
plant part/BUILD.bazel <<'END'
load("//build_defs/cc:rules.bzl", "sp_test")

[sp_test(name = f[:-len(".c")]) for f in glob(["*_test.c"])]
END
# test_program NAME: a test whose body comes from stdin
test_program() {
  plant "part/$1.c" <<END
#include <stdlib.h>

#include "lib/base/test.h"

static void test(void **state) {
$(cat)
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
END
}
test_program good_test <<'END'
  assert_null(NULL);
END
plant part/good.py <<'END'
print("good")
END
plant part/good.sh <<'END'
#!/bin/sh
echo "$1"
END

export SANDPLANE_PLANTED=1
"$copy/tree/tools/check" "$@" || die "the copy fails before a fault is planted"

# the faults: no test program does anything wrong that is seen without a sanitizer
plant part/layout.c <<'END'
int   badly_laid_out;
END
plant part/layout.py <<'END'
print( 'badly laid out' )
END
plant part/finding.py <<'END'
import os
END
plant part/finding <<'END'
#!/usr/bin/env bash
echo $1
END
test_program tidy_test <<'END'
  char *text = malloc(sizeof(char *));
  assert_non_null(text);
  assert_true(sizeof(text) / sizeof(text[0]) > 1);
  free(text);
END
test_program address_test <<'END'
  volatile char *text = malloc(8);
  volatile int past = 8;
  assert_true(text[past] <= INT8_MAX);
  free((void *)text);
END
test_program leak_test <<'END'
  void *volatile text = malloc(8);
  assert_non_null(text);
  text = NULL;
END
test_program undefined_test <<'END'
  volatile int most = INT32_MAX;
  assert_true(most + 1 != 1);
END
declare -A fault_of=(
  [clang-format]="part/layout.c" [ruff-format]="part/layout.py" [ruff]="part/finding.py" [shellcheck]="part/finding:"
  [clang-tidy]="part/tidy_test.c" [asan]="//part:address_test //part:leak_test //part:undefined_test"
)
missed=0
for gate; do
  said=$("$copy/tree/tools/check" "$gate" 2>&1) && echo "$gate passes over its fault" && missed=1
  for fault in ${fault_of[$gate]:?a gate without a fault}; do
    case $said in *"$fault"*"FAILED $gate "*) ;; *) printf '%s\n%s does not name %s\n' "$said" "$gate" "$fault" && missed=1 ;; esac
  done
done
exit $missed
