/* The inputs of a corpus, and what a change to one is made of: random numbers and parts of the others. */
#ifndef SANDPLANE_BUILD_DEFS_FUZZ_MUTATE_H_
#define SANDPLANE_BUILD_DEFS_FUZZ_MUTATE_H_

#include <stddef.h>
#include <stdint.h>

enum { MUTATE_MAX_INPUTS = 4096 };

typedef struct MutateInput {
  uint8_t *data;
  size_t len;
} MutateInput;

extern MutateInput mutate_inputs[MUTATE_MAX_INPUTS];
extern size_t mutate_n_inputs;

/* The same numbers in every run; 0 of 0. */
uint64_t mutate_below(uint64_t n);
/* One of the usual small changes to bytes: of the name, and with the meaning, that libFuzzer's has. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#endif
